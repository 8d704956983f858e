"""The processes of a run: how they join, are interrupted, hang and leave."""
