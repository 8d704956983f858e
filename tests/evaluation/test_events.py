"""Events in long videos: what is right, how it is chosen, and a classifier from end to end."""

import dataclasses
import json
import pathlib
import shutil
from typing import Any

import jax
import numpy as np
import pytest
import tiny_run
from written_records import write_records

from videobert_jax import tasks
from videobert_jax.config import ClassificationConfig, EventScoresConfig, RetrievalConfig
from videobert_jax.data.footage import Footage
from videobert_jax.data.prepared import Prepared
from videobert_jax.data.records import Record
from videobert_jax.errors import ConfigError, DamagedError, UserError
from videobert_jax.evaluation import events
from videobert_jax.evaluation.events import Score, Stream
from videobert_jax.inference import events as finding
from videobert_jax.inference.curves import Event, EventRule
from videobert_jax.inference.events import Settings
from videobert_jax.inference.model import Model

SECTION = EventScoresConfig(longer=10.0, step=1.0, tolerance=2.0)
TASK = ClassificationConfig(classes="fire;knife", multiple=True, window=4.0)


def event(onset: float, peak: float) -> Event:
    return Event(onset, onset + 2, peak)


def test_each_onset_is_found_once_by_the_surest_event() -> None:
    assert events.matched([event(1, 0.9), event(9, 0.5)], [2.0, 8.5], 2.0) == (1.0, 0.5)
    assert events.matched([event(1, 0.5), event(2, 0.9)], [2.0], 2.0) == (0.0,)
    assert events.matched([event(4, 0.9), event(2, 0.5)], [2.0, 5.5], 2.0) == (1.5, 0.0)
    assert events.matched([event(1, 0.9)], [3.5], 2.0) == ()
    assert events.matched([], [3.5], 2.0) == ()
    assert events.matched([event(1, 0.9)], [], 2.0) == ()


def test_scores_of_videos_and_classes_add_up() -> None:
    total = Score(2, 1, (0.5,)) + Score(1, 3, (1.5,)) + Score()
    rates = {"precision": 2 / 3, "recall": 0.5, "f1": 4 / 7}
    assert total.as_dict() == {"found": 3, "true": 4, "onset_error": 1.0, **rates}
    assert Score().as_dict() == {"found": 0, "true": 0, "precision": 0.0, "recall": 0.0, "f1": 0.0}


def stream(*peaks: tuple[int, float], spans: list[tuple[float, float]]) -> Stream:
    """Of one class, whose logits are -3 beside some peaks of three samples."""
    logits = np.full((40, 1), -3.0, np.float32)
    for first, logit in peaks:
        logits[first : first + 3] = logit
    return Stream("film", logits, logits > 2, [spans])


def test_the_rule_is_the_best_of_the_validation_split() -> None:
    """The event has a logit of 2.5, what is none one of 0.5."""
    settings = events.choose([stream((5, 2.5), (20, 0.5), spans=[(5.0, 8.0)])], 3.0, SECTION)
    found = events.found_in(stream((9, 2.5), (30, 0.5), spans=[]), settings)
    assert [(one.onset, one.end) for one in found[0]] == [(9.0, 12.0)]
    assert settings.temperature < 1  # the logits are right and could be surer
    both = events.choose([stream((5, 2.5), (20, 0.5), spans=[(5.0, 8.0), (20.0, 23.0)])], 3.0, SECTION)
    assert len(events.found_in(stream((9, 2.5), (30, 0.5), spans=[]), both)[0]) == 2
    assert events.choose([stream(spans=[])], 3.0, SECTION) == Settings(3.0, 1.0)


def labelled(number: int) -> Record:
    """A video of 24 s with fire in [4, 8), and a knife in [14, 16) of every second video."""
    spans = [("fire", 4, 8), ("knife", 14, 16)][: 1 + number % 2]
    names, starts, ends = zip(*spans, strict=True)
    return dataclasses.replace(
        tiny_run._record(number),
        captions=names,
        caption_starts=np.array(starts, np.float32),
        caption_ends=np.array(ends, np.float32),
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tiny_run.write_prepared(tmp_path_factory.mktemp("events") / "prepared")
    shutil.rmtree(folder / "records")
    for split, numbers in (("train", (0, 1)), ("validation", (10, 11)), ("test", (20, 21, 22))):
        write_records(folder / "records", split, [labelled(number) for number in numbers])
    return Prepared(folder)


@pytest.fixture(scope="module")
def model(prepared: Prepared) -> Model:
    config = dataclasses.replace(tiny_run.tiny_config(pathlib.Path("cache")), task=TASK)
    task = tasks.make_task(config, tiny_run.TOKENS)
    return Model(config, task, task.init(jax.random.key(1)), prepared)


def test_windows_show_a_span_as_in_training(model: Model, prepared: Prepared) -> None:
    """A window of 4 s shows fire of 4 s if half of it does, so that the samples that do are those of the fire."""
    first, second, _ = events.streams(model, prepared, SECTION, 4.0, "test")
    assert (first.video_id, first.logits.shape) == ("video20", (24, 2))
    assert first.spans == [[(4.0, 8.0)], []]
    assert np.flatnonzero(first.truth[:, 0]).tolist() == [4, 5, 6, 7]
    assert not first.truth[:, 1].any()
    assert second.spans == [[(4.0, 8.0)], [(14.0, 16.0)]]
    assert np.flatnonzero(second.truth[:, 1]).tolist() == [13, 14, 15, 16]  # as long as a window, in the same place
    assert events.streams(model, prepared, dataclasses.replace(SECTION, longer=24.0), 4.0, "test") == []


def test_a_classifier_is_evaluated_and_its_settings_are_read_again(model: Model, prepared: Prepared) -> None:
    metrics, details = events.evaluate(model, prepared, SECTION, "test")
    assert (details["videos"], metrics["true"]) == (3, 4)
    assert {"precision", "recall", "f1", "map"} <= metrics.keys()
    assert metrics["chance/map"] == pytest.approx((3 * 4 + 4) / (3 * 24 * 2))
    assert metrics["chance/precision"] == pytest.approx((3 * 5 + 5) / (3 * 24 * 2))
    assert details["events"][1]["true"][1] == {"label": "knife", "onset": 14.0, "end": 16.0}
    path = prepared.folder / "evaluation" / "events.json"
    path.parent.mkdir()
    try:
        path.write_text(json.dumps(details, allow_nan=False))
        settings = finding.settings_of(model)
        assert settings.as_dict() == details["settings"]
        video = Footage(prepared.source("test"))["video21"]
        told = [one._asdict() for one in finding.find(model, video)]
        listed = details["events"][1]["found"]
        assert sorted(one["onset"] for one in told) == sorted(one["onset"] for one in listed)
        assert {one["label"] for one in told} == {one["label"] for one in listed}
        path.write_text("{}")
        with pytest.raises(DamagedError, match=r"events\.json is damaged"):
            finding.settings_of(model)
    finally:
        shutil.rmtree(path.parent)


def changed(model: Model, task: Any) -> Model:
    return dataclasses.replace(model, config=dataclasses.replace(model.config, task=task))


def test_without_a_long_video_nothing_is_measured(
    model: Model, prepared: Prepared, caplog: pytest.LogCaptureFixture
) -> None:
    result = events.evaluate(model, prepared, EventScoresConfig(), "test")
    assert not result.metrics
    assert result.details["settings"]["window"] == TASK.window
    assert "no video of the split 'test' is longer than config.evaluators.events.longer, 60.0 s" in caplog.text


def test_what_finds_no_events_is_refused(model: Model, prepared: Prepared) -> None:
    video, no_window = labelled(30), dataclasses.replace(TASK, window=0.0)
    with pytest.raises(ConfigError, match=r"events\.window is 0, and config\.task\.window too"):
        events.evaluate(changed(model, no_window), prepared, SECTION, "test")
    with pytest.raises(UserError, match="'retrieval', and finds no events"):
        events.evaluate(changed(model, RetrievalConfig()), prepared, SECTION, "test")
    with pytest.raises(UserError, match="trained on whole spans, not on windows"):
        finding.find(changed(model, no_window), video)
    with pytest.raises(UserError, match="does not tell for each class whether it is there"):
        finding.find(changed(model, ClassificationConfig(classes="fire;knife")), video, Settings(4.0))


def test_events_are_told_in_order_of_time(model: Model) -> None:
    everything = Settings(4.0, rule=EventRule(threshold=0.0))
    found = finding.find(model, labelled(30), everything)
    assert [one[:3] for one in found] in ([("fire", 0, 24), ("knife", 0, 24)], [("knife", 0, 24), ("fire", 0, 24)])
    assert found[0].probability >= found[1].probability
    assert finding.find(model, labelled(30), Settings(4.0, rule=EventRule(threshold=1.0, release=1.0))) == []
