"""The end of a run, from files to files, with an untrained model."""

import json
import logging
import pathlib
import subprocess
import sys

import jax
import pytest
from cloze_corpus import TEMPLATE, TOKENS, record, write_tokenizer
from written_records import write_records

from videobert_jax.config import (
    Config,
    DataConfig,
    HeldOutConfig,
    MeshConfig,
    ModelConfig,
    PretrainingConfig,
    ReportConfig,
    ZeroShotConfig,
)
from videobert_jax.data.features import ClipFeatures
from videobert_jax.data.prepared import Prepared
from videobert_jax.evaluation import held_out
from videobert_jax.evaluation.run import evaluate
from videobert_jax.evaluation.tagger import INSTALL
from videobert_jax.tasks import make_task
from videobert_jax.training.checkpoints import Checkpoints
from videobert_jax.training.program import make_program
from videobert_jax.training.sharding import make_mesh
from videobert_jax.training.workdir import Workdir

ROOT = pathlib.Path(__file__).parents[2]
SENTENCES = [("show the carrot", 0.0, 4.0), ("cut the onion", 4.0, 9.0), ("fry the egg", 9.0, 12.0)]
CAPTIONS = [("cut the onion", 2.0, 6.0), ("fry the egg", 6.0, 12.0)]
CONFIG = Config(
    model=ModelConfig(
        num_layers=1, hidden_size=8, num_heads=2, mlp_size=16, max_positions=32, dtype="float32", visual_rows="random"
    ),
    data=DataConfig(batch_size=4, sequence_length=32, max_sequences=3),
    task=PretrainingConfig(max_predictions=6, chunks_per_row=2),
    evaluators={"held_out": HeldOutConfig(batches=2), "zero_shot": ZeroShotConfig(template=TEMPLATE)},
    report=ReportConfig(storyboards=2),
)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("run") / "checkpoints"
    mesh = make_mesh(MeshConfig(), jax.devices()[:1])
    with jax.set_mesh(mesh), Checkpoints(folder) as checkpoints:
        checkpoints.save(1, make_program(CONFIG, make_task(CONFIG, TOKENS), mesh).init(), None)
    return folder


def run(folder: pathlib.Path, checkpoints: pathlib.Path, captions) -> Workdir:
    """A workdir, and the data that it was made with."""
    prepared = Prepared(folder / "prepared")
    prepared.tokenizer.mkdir(parents=True)
    write_tokenizer(prepared.tokenizer)
    TOKENS.save(prepared.tokens_file)
    (prepared.vocabulary / "frames").mkdir(parents=True)
    for word in range(TOKENS.visual_size):
        (prepared.vocabulary / "frames" / f"{word:05d}.jpg").write_bytes(b"picture %d" % word)
    prepared.tree.write_bytes(b"")
    write_records(prepared.records, "train", [record(captions[:1], SENTENCES, video_id=video) for video in "ab"])
    write_records(prepared.records, "validation", [record(captions, SENTENCES, video_id=video) for video in "cd"])
    for video in "cd":
        ClipFeatures(jax.numpy.zeros((6, 1)), [f"{video}{clip}".encode() for clip in range(6)]).save(
            prepared.features(video)
        )
    workdir = Workdir(folder / "run")
    workdir.open(CONFIG, prepared)
    workdir.metrics.write_text(json.dumps({"step": 5, "loss/text": 2.0, "timing": {"seconds": 1.0}}) + "\n")
    workdir.checkpoints.symlink_to(checkpoints)
    return workdir


@pytest.mark.slow
def test_a_run_is_evaluated_by_files_and_the_result_is_the_same_again(tmp_path, checkpoints, capsys) -> None:
    workdir = run(tmp_path, checkpoints, CAPTIONS)
    result = evaluate(workdir.folder)["zero_shot"].details
    written = workdir.evaluation("zero_shot").read_text()
    assert json.loads(written) == result
    for name in ("verb_top1", "verb_top5", "object_top1", "object_top5"):
        assert all(0 <= result[name][key] <= 1 for key in ("cross_modal", "language_prior", "chance", "unseen_pairs"))
    assert result["verb_top1"]["chance"] == 0.5
    assert "verb top-1" in capsys.readouterr().out
    assert (result["segments"], result["unseen_segments"]) == (4, 2)
    assert {"accuracy/text", "accuracy/video", "accuracy/alignment"} <= set(result["held_out"])
    assert "unreadable_captions" not in result
    document = workdir.page.read_text()
    assert document.count('<article class="reading">') == document.count('<article class="picturing">') == 2
    evaluate(workdir.folder)
    assert workdir.evaluation("zero_shot").read_text() == written
    assert workdir.page.read_text() == document


@pytest.mark.slow
def test_without_captions_there_are_nulls_and_storyboards_of_what_is_spoken(tmp_path, checkpoints) -> None:
    workdir = run(tmp_path, checkpoints, [])
    result = evaluate(workdir.folder)["zero_shot"].details
    assert result["verb_top1"]["cross_modal"] is None
    assert "no captions" in result["reason"]
    document = workdir.page.read_text()
    assert "“fry the egg”" in document
    assert document.count('<article class="reading">') == 2


@pytest.fixture
def without_tagger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "HanTa", None)


@pytest.mark.slow
@pytest.mark.usefixtures("without_tagger")
def test_captions_that_cannot_be_read_are_left_out_and_counted(tmp_path, checkpoints, caplog) -> None:
    """The rule for imperatives would ask for the verb "someone"."""
    workdir = run(tmp_path, checkpoints, [CAPTIONS[0], ("someone is frying an egg", 6.0, 12.0)])
    with caplog.at_level(logging.WARNING):
        result = evaluate(workdir.folder)["zero_shot"].details
    assert result["unreadable_captions"] == 2
    assert (result["segments"], result["unseen_segments"]) == (2, 0)
    assert result["verb_labels"] == {"words": ["cut"], "not_a_single_token": [], "segments": 2}
    assert "2 of 4 held-out captions cannot be read and are left out" in caplog.text
    assert INSTALL in caplog.text
    assert "training captions" not in caplog.text
    document = " ".join(workdir.page.read_text().split())
    assert "2 of 4 captions cannot be read and are left out" in document
    assert "unseen pair</em>" not in document


@pytest.mark.slow
@pytest.mark.usefixtures("without_tagger")
def test_training_captions_that_cannot_be_read_are_counted(tmp_path, checkpoints, caplog) -> None:
    """Their pairs seem unseen."""
    workdir = run(tmp_path, checkpoints, [("someone is frying an egg", 6.0, 12.0), CAPTIONS[0]])
    with caplog.at_level(logging.WARNING):
        evaluate(workdir.folder)
    assert "1 of 1 training captions cannot be read" in caplog.text


def test_statements_are_read_by_the_tagger(tmp_path, checkpoints, caplog) -> None:
    workdir = run(tmp_path, checkpoints, [CAPTIONS[0], ("someone is frying an egg", 6.0, 12.0)])
    with caplog.at_level(logging.WARNING):
        result = evaluate(workdir.folder)["zero_shot"].details
    assert result["verb_labels"]["words"] == ["cut", "fry"]
    assert (result["segments"], result["unseen_segments"]) == (4, 2)
    assert "cannot be read" not in caplog.text + workdir.page.read_text()


@pytest.mark.slow
def test_training_captions_without_an_action_have_no_pairs_to_miss(tmp_path, checkpoints, caplog) -> None:
    workdir = run(tmp_path, checkpoints, [("the egg is on the table", 6.0, 12.0), CAPTIONS[0]])
    with caplog.at_level(logging.WARNING):
        evaluate(workdir.folder)
    assert "2 of 4 held-out captions cannot be read" in caplog.text
    assert "training captions" not in caplog.text


@pytest.mark.slow
@pytest.mark.usefixtures("without_tagger")
def test_captions_of_which_none_can_be_read_give_nulls_and_a_reason(tmp_path, checkpoints) -> None:
    workdir = run(tmp_path, checkpoints, [("a man is cutting a carrot", 2.0, 6.0), ("he fries", 6.0, 12.0)])
    result = evaluate(workdir.folder)["zero_shot"].details
    assert result["verb_top1"]["cross_modal"] is None
    assert "none of the 4 captions of the held-out videos can be read" in result["reason"]
    assert INSTALL in result["reason"]


def test_the_tagger_is_not_offered_where_it_is_installed(tmp_path, checkpoints) -> None:
    workdir = run(tmp_path, checkpoints, [("the egg is on the table", 2.0, 6.0)])
    reason = evaluate(workdir.folder)["zero_shot"].details["reason"]
    assert reason == "none of the 2 captions of the held-out videos can be read"


@pytest.mark.slow
def test_the_program_shows_the_warning_on_the_terminal(tmp_path, checkpoints) -> None:
    workdir = run(tmp_path, checkpoints, [CAPTIONS[0], ("the egg is on the table", 6.0, 12.0)])
    command = [sys.executable, "launch/evaluate.py", f"--workdir={workdir.folder}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "2 of 4 held-out captions cannot be read and are left out" in done.stderr
    assert "verb top-1" in done.stdout


def test_held_out_metrics_are_means_over_all_batches_together() -> None:
    pairs = [{"a": (2.0, 4.0), "b": (0.0, 0.0)}, {"a": (4.0, 4.0), "b": (0.0, 0.0)}, {"a": (0.0, 4.0), "b": (0.0, 0.0)}]
    assert held_out.measure(pairs.__getitem__, range(3)) == {"a": 0.5}
