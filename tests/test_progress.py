"""Progress without a terminal; it does not change the items."""

import pytest

from videobert_jax import progress as module
from videobert_jax.progress import progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each item takes four seconds."""
    moments = iter(range(0, 1000, 4))
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(moments)))


@pytest.mark.usefixtures("clock")
def test_a_line_now_and_then_and_one_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress("abcd", 4, "letters", "letter")) == list("abcd")
    assert capsys.readouterr().err.splitlines() == [
        "letters: 3/4 (0.2 letter/s, 4 s left)",
        "letters: 4/4 (0.2 letter/s, 0 s left)",
    ]


@pytest.mark.usefixtures("clock")
def test_without_a_total_it_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress("abcd", None, "letters", "letter")) == list("abcd")
    assert capsys.readouterr().err.splitlines() == ["letters: 3 (0.2 letter/s)"]
