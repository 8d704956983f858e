"""The kitchen corpora: rendered instructional videos with narration.

`corpus.make_corpus` writes the first; `recipes` plans its videos; `scene`, `actions`, `blades`, `vessels`, `tools`,
`objects`, `motion`, `camera`, `backdrop` and `painting` draw them; `commentary` writes the narration. `applications` is
a second corpus, for tasks other than pretraining.
"""
