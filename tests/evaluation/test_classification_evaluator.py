"""Scores of classifiers and of answers: what is chosen is chosen on validation, what is told is of the split."""

import dataclasses
import itertools
import json
import pathlib
from typing import Any

import jax
import numpy as np
import pytest
import tiny_run
from written_records import write_records

from videobert_jax import tasks, tokenizer
from videobert_jax.config import (
    AnsweringConfig,
    AnsweringScoresConfig,
    ClassificationConfig,
    ClassificationScoresConfig,
    Config,
)
from videobert_jax.data.prepared import Prepared
from videobert_jax.data.rows.labelled import Labelled
from videobert_jax.data.segments import Segment
from videobert_jax.evaluation import answering, classification
from videobert_jax.inference import classify
from videobert_jax.inference.examples import all_of, over
from videobert_jax.inference.model import Model
from videobert_jax.metrics import labels

NAMES = ("cut", "pour", "stir")
SPLITS = {"train": range(40), "validation": range(100, 130), "test": range(200, 230)}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tiny_run.write_prepared(tmp_path_factory.mktemp("scores") / "prepared")
    for path in (folder / "records").glob("*test*"):
        path.unlink()
    for split, numbers in SPLITS.items():
        write_records(folder / "records", split, [tiny_run._record(number) for number in numbers])
    tokenizer.train(["what is it how many"], 100).save(folder / "tokenizer")
    return Prepared(folder)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Labels by chance; "stir" never occurs in validation."""
    rng, rows = np.random.default_rng(0), ["label,youtube_id,time_start,time_end,split"]
    for split, numbers in SPLITS.items():
        for number in numbers:
            name = NAMES[rng.integers(0, 2 if split == "validation" else 3)]
            rows.append(f"{name},video{number},0,12,{split}")
            if split != "validation" and number % 4 == 0:
                rows.append(f"{NAMES[(NAMES.index(name) + 1) % 3]},video{number},0,12,{split}")
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def model_of(config: Config, prepared: Prepared) -> Model:
    """A model that knows nothing, but is not unsure: its last layer is large."""
    task = tasks.make_task(config, tiny_run.TOKENS)
    params = task.init(jax.random.key(3))
    params["class_head"]["kernel"] = params["class_head"]["kernel"] * 200
    return Model(config, task, params, prepared)


def config_of(section: Any) -> Config:
    return dataclasses.replace(tiny_run.tiny_config(pathlib.Path("cache")), task=section)


@pytest.fixture(scope="module")
def several(prepared: Prepared, table: pathlib.Path) -> Model:
    section = ClassificationConfig(labels=str(table), classes=";".join(NAMES), multiple=True)
    return model_of(config_of(section), prepared)


def test_every_example_is_asked_once_in_order(several: Model, prepared: Prepared) -> None:
    """Rows hold 6, batches 2 rows: 30 examples are two and a half batches."""
    examples = all_of(several, prepared, "test")
    told = over(several, examples, lambda outputs: outputs.logits, rows=2)
    assert told.shape == (30, 3)
    for index in (0, 5, 6, 12, 29):
        alone = over(several, examples[index : index + 1], lambda outputs: outputs.logits, rows=1)
        np.testing.assert_allclose(told[index], alone[0], atol=1e-4)  # another place in the row: rounding


def test_thresholds_and_temperature_are_chosen_on_validation(several: Model, prepared: Prepared) -> None:
    section = ClassificationScoresConfig(bins=10, recall=0.5, worst=3)
    metrics, details = classification.evaluate(several, prepared, section, "test")
    held_out = all_of(several, prepared, "validation")
    logits, truth = classify.logits_of(several, held_out), classification.truth_of(several, held_out)
    chosen = classify.calibrate(logits, truth, True)
    assert details["calibration"] == chosen.as_dict()
    assert (details["calibration"]["chosen_on"], details["in_sample"]) == ("validation", False)
    scores = classify.probabilities(logits, True, chosen.temperature)
    curves = [np.stack(labels.frontier(scores[:, one], truth[:, one]), axis=1).tolist() for one in range(3)]
    assert details["calibration"]["curves"] == curves
    assert [bool(curve) for curve in curves] == [True, True, False]
    assert chosen.thresholds[2] == 0.5, "a class that does not occur there"
    assert classify.Calibration.from_dict(json.loads(json.dumps(chosen.as_dict()))).temperature == chosen.temperature

    examples = all_of(several, prepared, "test")
    found = classify.probabilities(classify.logits_of(several, examples), True, chosen.temperature)
    true = classification.truth_of(several, examples)
    counted = labels.counts(found >= chosen.thresholds, true)
    assert metrics["macro_f1"] == pytest.approx(counted.macro_f1)
    assert metrics["map"] == pytest.approx(
        np.mean([labels.average_precision(found[:, one], true[:, one]) for one in range(3)])
    )
    assert metrics["exact"] == pytest.approx(np.all((found >= chosen.thresholds) == true, axis=1).mean())
    assert [each["examples"] for each in details["classes"].values()] == true.sum(axis=0).tolist()
    assert details["classes"]["cut"]["precision_at_recall_0.5"] > 0
    assert len(details["worst"]) == 3
    json.dumps(details, allow_nan=False)


def test_one_class_each(prepared: Prepared, table: pathlib.Path) -> None:
    config = config_of(ClassificationConfig(labels=str(table), classes="cut;pour"))
    model = model_of(config, prepared)
    metrics, details = classification.evaluate(model, prepared, ClassificationScoresConfig(), "validation")
    found = np.array(details["confusions"])
    assert found.sum() == details["examples"] == 30
    assert metrics["accuracy"] == pytest.approx(np.trace(found) / 30)
    assert metrics.keys() == {"accuracy", "macro_f1", "calibration_error", "map"}
    assert details["in_sample"] is True
    worst = details["worst"][0]
    assert worst["truth"] != [worst["likeliest"]]
    json.dumps(details, allow_nan=False)


def test_answers_are_beside_the_commonest_to_the_same_question(prepared: Prepared, tmp_path: pathlib.Path) -> None:
    asked, answered = [], []
    for number in itertools.chain(*SPLITS.values()):
        for kind, question in enumerate(("what is it", "how many")):
            name = f"{number}-{kind}"
            answer = "two" if kind else ("cup" if number % 3 else "jug")
            asked.append({"video_name": f"video{number}", "question": question, "question_id": name})
            answered.append({"question_id": name, "answer": answer, "type": kind})
    (tmp_path / "all_q.json").write_text(json.dumps(asked))
    (tmp_path / "all_a.json").write_text(json.dumps(answered))
    config = tasks.complete(config_of(AnsweringConfig(questions=str(tmp_path))), prepared)
    assert config.task.classes == "two;cup;jug"
    metrics, details = answering.evaluate(model_of(config, prepared), prepared, AnsweringScoresConfig(), "test")
    assert details["questions"] == 60
    assert details["kinds"].keys() == {"how many", "what is"}
    assert details["kinds"]["how many"]["prior"] == 1.0
    assert details["kinds"]["what is"]["prior"] == pytest.approx(20 / 30)
    assert metrics["prior"] == pytest.approx(50 / 60)
    assert metrics["top5"] == 1.0
    counts = {kind: told["questions"] for kind, told in details["kinds"].items()}
    assert counts == {"how many": 30, "what is": 30}
    assert metrics["accuracy"] == pytest.approx(np.mean([told["accuracy"] for told in details["kinds"].values()]))
    assert (details["calibration"]["chosen_on"], details["in_sample"]) == ("validation", False)


def test_questions_without_words_or_with_other_answers_are_left_out(
    prepared: Prepared, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked = [("what is it", "cup"), ("\u200b", "jug"), ("what is it", "spoon"), ("what is it", "jug")]
    entries = [
        {"video_id": 200 + number, "question": question, "answer": answer, "id": number}
        for number, (question, answer) in enumerate(asked)
    ]
    (tmp_path / "qa.json").write_text(json.dumps(entries))
    config = config_of(AnsweringConfig(questions=str(tmp_path / "qa.json"), classes="cup;jug"))
    found = tasks.make_task(config, tiny_run.TOKENS).examples(prepared, "test")
    assert [(found[index].video_id, found[index].labels) for index in range(len(found))] == [
        ("video200", (0,)),
        ("video203", (1,)),
    ]
    assert caplog.messages == [
        "questions of the split test: 1 of 4 are left out: they have no words",
        "questions of the split test: 1 of 4 are left out: their answers are none of config.task.classes",
    ]


def test_a_question_that_was_never_asked_has_the_commonest_answer_of_all() -> None:
    def one(question: str, label: int) -> Labelled:
        return Labelled(Segment("video", question, 0, np.zeros(1, np.int32), ()), (7,), (label,))

    training = [one("what", 1), one("what", 1), one("what", 2), one("who", 2), one("who", 2)]
    found = answering.commonest(training, [one("what", 0), one("who", 0), one("when", 0)])
    assert found.tolist() == [1, 2, 2]
