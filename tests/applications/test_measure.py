"""Which runs are made."""

import pathlib

from videobert_jax.applications import measure
from videobert_jax.applications.suite import SUITE, VARIANTS

PLAN = measure.Plan(root=pathlib.Path("root"), output=pathlib.Path("out"), cache=pathlib.Path("cache"), corpus=(8, 3))


def runs(plan: measure.Plan) -> list[measure.Run]:
    return [run for one in SUITE for variant in plan.runs(one).values() for run in variant]


def test_each_application_has_a_run_of_each_kind_and_some_have_more_seeds() -> None:
    assert len(runs(PLAN)) == len(SUITE) * len(VARIANTS)
    three = measure.Plan(PLAN.root, PLAN.output, PLAN.cache, seeds=3)
    assert len(runs(three)) == len(SUITE) * (len(VARIANTS) + 4)
    assert len({run.folder for run in runs(three)}) == len(runs(three))


def test_a_trial_shortens_every_run() -> None:
    trial = measure.Plan(PLAN.root, PLAN.output, PLAN.cache, steps=7)
    assert {run.values["steps"] for run in [trial.pretraining(), *runs(trial)]} == {"7"}


def test_the_corpus_is_named_in_full() -> None:
    assert not any("{" in value for run in runs(PLAN) for value in run.values.values())
    food = PLAN.run(next(one for one in SUITE if one.name == "food"), "pretrained", 0)
    assert food.values["task.labels"] == "cache/applications-8-3/food.csv"


def test_variants_differ_in_that_alone() -> None:
    for one in SUITE:
        whole, scratch = (PLAN.run(one, variant, 0) for variant in ("pretrained", "scratch"))
        assert {**whole.values, "init_from": ""} == scratch.values
        assert whole.config == scratch.config
