"""Accuracy of answers by their type."""

import pytest

from videobert_jax.metrics import answers
from videobert_jax.metrics.mean import Mean


def test_accuracy_by_type() -> None:
    found = answers.accuracy([True, False, True, True], ["what", "who", "what", "who"])
    assert found == {"all": Mean(3, 4), "what": Mean(2, 2), "who": Mean(1, 2)}
    assert list(answers.accuracy([1, 1], ["b", "a"])) == ["all", "a", "b"]
    assert answers.accuracy([], []) == {"all": Mean(0, 0)}


def test_chosen_with_a_probability() -> None:
    assert answers.accuracy([0.5, 1.0], ["what", "what"])["what"].value == 0.75


def test_kinds_of_next_qa() -> None:
    """Before and after are one kind, as its authors count."""
    types = ["CW", "CH", "TN", "TP", "TC", "DC", "DL", "DO"]
    found = answers.accuracy([1, 0, 1, 0, 0, 1, 1, 1], types, answers.NEXT_QA)
    assert {name: (one.sum, one.count) for name, one in found.items() if one.count > 1} == {
        "all": (5, 8),
        "causal": (1, 2),
        "descriptive": (3, 3),
        "temporal": (1, 3),
        "temporal/before_or_after": (1, 2),
    }
    assert found["causal/why"].value == 1
    assert found["causal/how"].value == found["temporal/when"].value == 0


def test_types_have_to_be_known_and_as_many_as_answers() -> None:
    with pytest.raises(ValueError, match=r"of the types \['XX'\], not among"):
        answers.accuracy([1], ["XX"], answers.NEXT_QA)
    with pytest.raises(ValueError, match="2 types of questions for 1 answers"):
        answers.accuracy([1], ["CW", "CH"])
