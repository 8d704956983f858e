"""The applications corpus: rendered videos with a label, a caption, a question or a viewer for every task.

`corpus.make_corpus` writes it; `plan`, `shorts` and `longs` plan the videos; `places`, `utensils`, `outcomes`,
`hazards` and `pictures` draw them; `speech`, `captions`, `labels`, `questions`, `moments` and `viewers` write what
belongs to them.
"""
