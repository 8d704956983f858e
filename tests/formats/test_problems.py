"""The printed summary of the quarantine."""

from videobert_jax.formats.problems import Problem, summary


def test_summary_counts_everything_and_shows_the_first() -> None:
    problems = [Problem(f"{index:02d}.mp4", "features", "the file is empty") for index in range(12)]
    lines = summary({"videos": 1200}, [*problems, Problem("x", "scan", "odd")], shown=2).splitlines()
    assert lines == [
        "  videos: 1,200",
        "  quarantined at features: 12",
        "    00.mp4: the file is empty",
        "    01.mp4: the file is empty",
        "    ... and 10 more in report.json",
        "  quarantined at scan: 1",
        "    x: odd",
    ]
