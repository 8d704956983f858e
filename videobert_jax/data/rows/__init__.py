"""Examples to rows, one file for each kind of task: `(examples, generator) -> row`, with the shapes of a row."""
