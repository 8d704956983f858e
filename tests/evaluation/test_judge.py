"""The judgement of a run, from files to files, with an untrained model."""

import json
import pathlib

import jax
import pytest
from cloze_corpus import TEMPLATE, TOKENS, record, write_tokenizer
from written_records import write_records

from videobert_jax.config import (
    Config,
    DataConfig,
    HeldOutConfig,
    ModelConfig,
    PretrainingConfig,
    ReportConfig,
    ZeroShotConfig,
)
from videobert_jax.data.batching import validation_batches
from videobert_jax.data.prepared import Prepared
from videobert_jax.data.rows.pretraining import PretrainingRows
from videobert_jax.evaluation import held_out
from videobert_jax.evaluation.judge import judge
from videobert_jax.model.videobert import VideoBert

SENTENCES = [("show the carrot", 0.0, 4.0), ("cut the onion", 4.0, 9.0), ("fry the egg", 9.0, 12.0)]
CAPTIONS = [("cut the onion", 2.0, 6.0), ("fry the egg", 6.0, 12.0)]
TASK = PretrainingConfig(max_predictions=6, chunks_per_row=2)
CONFIG = Config(
    model=ModelConfig(num_layers=1, hidden_size=8, num_heads=2, mlp_size=16, max_positions=32, dtype="float32"),
    data=DataConfig(batch_size=4, sequence_length=32, max_sequences=3),
    task=TASK,
    evaluators={"held_out": HeldOutConfig(batches=2), "zero_shot": ZeroShotConfig(template=TEMPLATE)},
    report=ReportConfig(storyboards=2),
)

HISTORY = [{"step": 5, "loss/text": 2.0, "timing": {"seconds": 1.0}}]


def prepare(folder: pathlib.Path, captions) -> None:
    """A workdir that is its own folder of prepared data."""
    (folder / "tokenizer").mkdir()
    write_tokenizer(folder / "tokenizer")
    TOKENS.save(folder / "tokens.json")
    (folder / "vocabulary" / "frames").mkdir(parents=True)
    for word in range(TOKENS.visual_size):
        (folder / "vocabulary" / "frames" / f"{word:05d}.jpg").write_bytes(b"picture %d" % word)
    write_records(folder / "records", "train", [record(captions[:1], SENTENCES, video_id=video) for video in "ab"])
    write_records(folder / "records", "validation", [record(captions, SENTENCES, video_id=video) for video in "cd"])


@pytest.fixture(scope="module")
def params():
    row = PretrainingRows(TOKENS, TASK, CONFIG.data)
    batch = validation_batches([record(sentences=SENTENCES)], row, TASK.chunks_per_row, CONFIG.data, 1)[0]
    return jax.jit(VideoBert(CONFIG.model, TOKENS).init)(jax.random.key(0), batch)["params"]


def thumbnails(video_id: str) -> list[bytes]:
    assert video_id in "cd"
    return [f"{video_id}{clip}".encode() for clip in range(6)]


def judged(folder: pathlib.Path, params) -> dict:
    both = Prepared(folder)
    files = folder / "evaluation" / "zero_shot.json", folder / "report" / "index.html"
    return judge(CONFIG, both, both, params, HISTORY, thumbnails, *files)


def test_a_run_is_judged_by_files_and_the_result_is_the_same_again(tmp_path, params, capsys) -> None:
    prepare(tmp_path, CAPTIONS)
    result = judged(tmp_path, params)
    written = (tmp_path / "evaluation" / "zero_shot.json").read_text()
    assert json.loads(written) == result
    for name in ("verb_top1", "verb_top5", "object_top1", "object_top5"):
        assert all(0 <= result[name][key] <= 1 for key in ("cross_modal", "language_prior", "chance", "unseen_pairs"))
    assert result["verb_top1"]["chance"] == 0.5
    assert "verb top-1" in capsys.readouterr().out
    assert (result["segments"], result["unseen_segments"]) == (4, 2)
    assert {"accuracy/text", "accuracy/video", "accuracy/alignment"} <= set(result["held_out"])
    document = (tmp_path / "report" / "index.html").read_text()
    assert document.count('<article class="reading">') == document.count('<article class="picturing">') == 2
    judged(tmp_path, params)
    assert (tmp_path / "evaluation" / "zero_shot.json").read_text() == written
    assert (tmp_path / "report" / "index.html").read_text() == document


def test_without_captions_there_are_nulls_and_storyboards_of_what_is_spoken(tmp_path, params) -> None:
    prepare(tmp_path, [])
    result = judged(tmp_path, params)
    assert result["verb_top1"]["cross_modal"] is None
    assert "no captions" in result["reason"]
    document = (tmp_path / "report" / "index.html").read_text()
    assert "“fry the egg”" in document
    assert document.count('<article class="reading">') == 2


def test_held_out_metrics_are_means_over_all_batches_together() -> None:
    pairs = [{"a": (2.0, 4.0), "b": (0.0, 0.0)}, {"a": (4.0, 4.0), "b": (0.0, 0.0)}, {"a": (0.0, 4.0), "b": (0.0, 0.0)}]
    assert held_out.measure(pairs.__getitem__, range(3)) == {"a": 0.5}
