"""The table of the applications, from what evaluators wrote."""

import json
import pathlib

import pytest

from videobert_jax.applications import summary
from videobert_jax.applications.measure import MARKS, between_marks
from videobert_jax.applications.suite import SUITE, Measure
from videobert_jax.errors import DamagedError, UserError

MEASURE = Measure("moderation", "classification", "map", baselines={"popularity": "popular"})


def write(folder: pathlib.Path, **details: object) -> pathlib.Path:
    (folder / "evaluation").mkdir(parents=True)
    (folder / "evaluation" / "classification.json").write_text(json.dumps(details))
    return folder


def make(tmp_path: pathlib.Path, pretrained: list[float], scratch: float = 0.5) -> summary.Row:
    folders = {
        "pretrained": [
            write(tmp_path / f"pretrained-{seed}", map=value, examples=7, popular=0.25)
            for seed, value in enumerate(pretrained)
        ],
        "scratch": [write(tmp_path / "scratch", map=scratch, examples=7)],
        "language_only": [write(tmp_path / "language", map=0.3, examples=7)],
    }
    return summary.row(MEASURE, folders, features_only=0.6, chance=0.1)


def test_a_row_has_means_spread_and_baselines(tmp_path: pathlib.Path) -> None:
    row = make(tmp_path, [0.7, 0.9])
    assert row.pretrained == pytest.approx(0.8)
    assert row.spread == pytest.approx(0.02**0.5)  # of a sample: both deviate by 0.1, over n - 1
    assert (row.seeds, row.n, row.scratch, row.language_only, row.video_only) == (2, 7, 0.5, 0.3, None)
    assert row.baselines == {"popularity": 0.25}


def test_one_seed_has_no_spread(tmp_path: pathlib.Path) -> None:
    assert make(tmp_path, [0.7]).spread is None


@pytest.mark.parametrize(
    ("pretrained", "scratch", "holds"),
    [
        ([0.8], 0.5, True),
        ([0.8], 0.8, False),  # no better
        ([0.7, 0.9], 0.7, False),  # better by less than the spread
        ([0.995], 0.999, True),  # both as good as right
    ],
)
def test_pretraining_has_to_be_worth_it(
    tmp_path: pathlib.Path, pretrained: list[float], scratch: float, holds: bool
) -> None:
    assert make(tmp_path, pretrained, scratch).holds() == holds


def test_a_missing_metric_is_named(tmp_path: pathlib.Path) -> None:
    folder = write(tmp_path / "run", accuracy=1.0, examples=7)
    with pytest.raises(DamagedError, match="no 'map', only accuracy, examples"):
        summary.row(MEASURE, {"pretrained": [folder]}, None, None)


def test_the_table_has_a_line_for_each_row_and_empty_cells(tmp_path: pathlib.Path) -> None:
    head, _, line = summary.table([make(tmp_path, [0.7, 0.9])]).splitlines()
    assert head.count("|") == line.count("|")
    assert line == "| moderation | map | 7 | 80.0 ± 14.1 | 50.0 | 60.0 | 30.0 |  | 10.0 | popularity 25.0 |"


def test_the_table_goes_between_the_marks() -> None:
    text = f"before\n{MARKS[0]}\nold\n{MARKS[1]}\nafter\n"
    assert between_marks(text, "new") == f"before\n{MARKS[0]}\nnew\n{MARKS[1]}\nafter\n"
    with pytest.raises(UserError, match="between which the table goes"):
        between_marks("no marks", "new")


def test_the_rows_are_those_that_were_asked_for() -> None:
    assert [measure.name for application in SUITE for measure in application.measures] == [
        *("classification_action", "classification_food", "sentiment", "moderation"),
        *("answering", "retrieval", "moments", "recommendation"),
    ]
