"""The kitchen corpus: rendered instructional videos with narration, for when no videos are named.

`corpus.make_corpus` writes it; `plan` decides what happens where; `scene`, `actions`, `blades`, `vessels`, `tools`,
`objects`, `motion`, `backdrop` and `painting` draw it; `narration` words it.
"""
