"""Whether the words of a model look at the video."""

import dataclasses
import pathlib
from typing import Any

import numpy as np
import pytest
import tiny_run
from written_records import write_records

from videobert_jax.config import UseOfVideoConfig
from videobert_jax.data.records import Record
from videobert_jax.errors import ConfigError
from videobert_jax.evaluation import use_of_video
from videobert_jax.tasks import make_task


def told_by_clips(record: Record, telling: bool) -> Record:
    """All words of a video are one of two, and so are its clips, or these are any."""
    odd = int(record.video_id.removeprefix("video")) % 2
    clips = np.full_like(record.visual_ids, 3 + odd) if telling else record.visual_ids
    return dataclasses.replace(record, token_ids=np.full_like(record.token_ids, 20 + odd), visual_ids=clips)


@pytest.fixture(scope="module", params=[True, False], ids=["telling", "silent"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[bool, dict[str, Any]]:
    """Whether clips tell something of the words, and the metrics of a run on such videos."""
    folder = tmp_path_factory.mktemp("use_of_video")
    prepared = tiny_run.write_prepared(folder / "prepared")
    for split, numbers in (("train", range(40)), ("validation", range(100, 110))):
        records = [told_by_clips(tiny_run._record(number), request.param) for number in numbers]
        for path in (prepared / "records").glob(f"*{split}*"):
            path.unlink()
        write_records(prepared / "records", split, records)
    task = {"mask_text": 1.0, "joint": 4.0, "misaligned": 0.2, "max_predictions": 40, "chunks_per_row": 4}
    model, optimizer = {"init_std": 0.125}, {"learning_rate": 3e-3}
    config = tiny_run.tiny_config(folder / "cache", steps=40, task=task, model=model, optimizer=optimizer)
    config = tiny_run.measured_by(config, use_of_video=UseOfVideoConfig(every=40))
    return request.param, tiny_run.train(config, folder / "run", prepared)


@pytest.mark.slow
def test_near_zero_means_that_clips_say_nothing(trained: tuple[bool, dict[str, Any]]) -> None:
    telling, metrics = trained
    nats = metrics["use_of_video/nats"]
    assert nats == pytest.approx(metrics["use_of_video/own_clips"] - metrics["use_of_video/other_clips"])
    assert (nats > 1) if telling else (abs(nats) < 0.1)


def test_the_report_says_it_in_words() -> None:
    assert use_of_video.told([{"step": 1}]) == ""
    history = [{"use_of_video/nats": 0.01}, {"step": 2}, {"use_of_video/nats": 1.234}]
    assert use_of_video.told(history) == (
        "Masked words are 1.23 nats likelier beside their own clips than beside another video's."
    )
    assert "the text alone solves the task" in use_of_video.told(history[:1])


def test_a_task_without_such_rows_is_refused(tmp_path: pathlib.Path) -> None:
    task = dataclasses.replace(make_task(tiny_run.tiny_config(tmp_path), tiny_run.TOKENS), row=None)
    with pytest.raises(ConfigError, match="use_of_video, which needs the rows of pretraining"):
        use_of_video._rows(task)
