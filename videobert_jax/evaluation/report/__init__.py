"""The report of a run: a page of HTML, and a table for the terminal."""
