"""The kitchen corpus: rendered instructional videos with narration.

`corpus.make_corpus` writes it; `recipes` plans the videos; `scene`, `actions`, `blades`, `vessels`, `tools`, `objects`,
`motion`, `backdrop` and `painting` draw them; `commentary` writes the narration.
"""
