"""Row makers, `(examples, generator) -> row`, one file per task."""
