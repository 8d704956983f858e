"""A workdir that commit 51d42bd wrote loads, evaluates, exports, continues training, and serves as a starting point."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tarfile

import numpy as np
import pytest
import tiny_corpus

import videobert_jax
from videobert_jax import config as config_lib
from videobert_jax.config import CheckpointConfig, DataConfig, HeldOutConfig
from videobert_jax.data.prepared import Prepared
from videobert_jax.errors import ConfigError, DamagedError, UserError
from videobert_jax.evaluation import evaluator
from videobert_jax.evaluation.run import evaluate
from videobert_jax.prepare.pipeline import prepare
from videobert_jax.tasks import make_task
from videobert_jax.training import loop, starting_point
from videobert_jax.training.reporting import writers
from videobert_jax.training.workdir import Workdir

ROOT = pathlib.Path(__file__).parent.parent
ARCHIVE = ROOT / "tests" / "fixtures" / "run_51d42bd.tar.xz"


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / "run" / "prepared.txt").write_text(f"{tmp_path / 'prepared'}\n")
    return tmp_path


@pytest.mark.slow
def test_it_loads_and_answers(folder: pathlib.Path) -> None:
    model = videobert_jax.load(folder / "run")
    assert model.config.evaluators["held_out"] == HeldOutConfig(every=3, batches=1)
    verb, thing = model.fill("now let me show you how to [MASK] the [MASK]")
    assert len(verb) == len(thing) == 5
    assert all(0 < guess.probability < 1 and guess.word for guess in verb)
    vector = model.embed(text="cut the carrot")
    assert vector.dtype == np.float32
    assert float(vector @ vector) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", ["a%20b", "a#b", "a?b", "a b é"])
def test_the_name_of_its_folder_does_not_matter(folder: pathlib.Path, name: str) -> None:
    """A path that is read as a URL would lead to another folder, or nowhere."""
    renamed = (folder / "run").rename(folder / name)
    kernel = videobert_jax.load(renamed).params["pooler"]["kernel"]
    assert kernel.shape == (16, 16)
    assert np.isfinite(kernel).all()


def test_a_path_may_go_up(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorStore refuses such paths; after a symbolic link, `..` is the parent of what the link points to."""
    (folder / "elsewhere" / "deep").mkdir(parents=True)
    (folder / "link").symlink_to(folder / "elsewhere" / "deep")
    monkeypatch.chdir(folder / "elsewhere")
    for path in ("../run", "../link/../../run"):
        assert videobert_jax.load(path).params["pooler"]["kernel"].shape == (16, 16)


def test_a_module_that_is_not_there_is_no_fault_of_the_config(folder: pathlib.Path) -> None:
    file = folder / "run" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "modules": "no_such_module"}))
    with pytest.raises(UserError, match=r"cannot be read: config\.modules is 'no_such_module'.* to PYTHONPATH$"):
        videobert_jax.load(folder / "run")


def test_a_folder_that_is_not_there_is_an_error_of_the_user(folder: pathlib.Path) -> None:
    (folder / "run" / "checkpoints" / "6").rename(folder / "6")
    for name, message in (("none", "none is not the folder of a run"), ("run", "holds no checkpoint; train first")):
        for kind in (UserError, FileNotFoundError):
            with pytest.raises(kind, match=message):
                videobert_jax.load(folder / name)


@pytest.mark.parametrize("text", ["日本", "[MASK]", "", "[CLS] [SEP]"])
def test_a_text_without_known_words_is_refused(folder: pathlib.Path, text: str) -> None:
    with pytest.raises(UserError, match=r"nothing to embed|has no word that the model knows"):
        videobert_jax.load(folder / "run").embed(text=text)


@pytest.mark.slow
def test_no_more_words_are_returned_than_there_are(folder: pathlib.Path) -> None:
    model = videobert_jax.load(folder / "run")
    (guesses,) = model.fill("cut the [MASK]", top=10_000)
    assert len({guess.word for guess in guesses}) == len(guesses) < model.tokens.text_size
    assert all(guess.word and not guess.word.startswith("[") for guess in guesses)
    for top in (0, -1, 2.0):
        with pytest.raises(UserError, match=r"expected a number of words, at least 1"):
            model.fill("cut the [MASK]", top=top)
    for ask in (model.fill, model.embed):
        with pytest.raises(UserError, match="the text is 3, expected a string"):
            ask(3)


@pytest.mark.parametrize("file", ["tokens.json", "tokenizer/tokenizer.json"])
@pytest.mark.parametrize("text", ["", "{}", "[1]"])
def test_damaged_files_are_named(folder: pathlib.Path, file: str, text: str) -> None:
    (folder / "run" / file).write_text(text)
    with pytest.raises(DamagedError, match=f"{pathlib.Path(file).parent.name or file}.* is damaged"):
        videobert_jax.load(folder / "run").fill("cut the [MASK]")


@pytest.mark.slow
def test_it_evaluates_to_what_it_did(folder: pathlib.Path) -> None:
    before = json.loads((folder / "run" / "evaluation" / "zero_shot.json").read_text())
    details = evaluate(folder / "run")["zero_shot"].details
    assert details.keys() == before.keys()
    for name, value in before.items():  # means of the held-out batches, in float32 and rounded by any processor
        assert details[name] == (pytest.approx(value, rel=1e-4) if name == "held_out" else value)


@pytest.mark.slow
def test_it_continues_where_it_ended(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    workdir = Workdir(folder / "run")
    config = config_lib.load(workdir.config_file)
    config = dataclasses.replace(
        config, steps=8, data=dataclasses.replace(config.data, cache=str(tmp_path / "cache")),
        checkpoint=CheckpointConfig(every=8),
    )  # fmt: skip
    prepared = workdir.prepared()
    task = make_task(config, prepared.tokens())
    loop.train(config, task, evaluator.for_training(config, task, prepared), workdir, prepared)
    steps = [line["step"] for line in writers.read(workdir.metrics) if "loss" in line]
    assert steps == list(range(1, 9))
    assert (workdir.checkpoints / "8").exists()
    assert json.loads(workdir.config_file.read_text())["task"]["name"] == "pretraining"


@pytest.mark.slow
def test_it_is_exported(folder: pathlib.Path) -> None:
    command = [
        sys.executable,
        ROOT / "launch" / "export.py",
        f"--workdir={folder / 'run'}",
        f"--output={folder / 'out'}",
    ]
    subprocess.run(command, check=True, capture_output=True)
    assert (folder / "out" / "inference.jaxexport").exists()
    assert (folder / "out" / "bert" / "model.safetensors").exists()


@pytest.mark.slow
def test_a_run_starts_from_it_with_its_words_and_visual_words(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """On other videos; all parameters are its own before the first step."""
    source = Workdir(folder / "run")
    theirs = config_lib.load(source.config_file)
    tiny_corpus.write_corpus(tmp_path / "videos", videos=2)
    config = dataclasses.replace(
        theirs, steps=1, init_from=str(source.folder), checkpoint=CheckpointConfig(every=1),
        data=dataclasses.replace(theirs.data, videos=str(tmp_path / "videos"), cache=str(tmp_path / "cache")),
        prepare=dataclasses.replace(theirs.prepare, workers=1),
        optimizer=dataclasses.replace(theirs.optimizer, learning_rate=1e-30, weight_decay=0.0),
    )  # fmt: skip
    config_lib.check(config)
    given = starting_point.find(config)
    prepared = prepare(config, tiny_corpus.here, given)
    for mine, other in zip(prepared.defining, source.defining, strict=True):
        assert mine.read_bytes() == other.read_bytes()
    workdir = Workdir(tmp_path / "new")
    task = make_task(config, prepared.tokens())
    loop.train(config, task, evaluator.for_training(config, task, prepared), workdir, prepared)
    before, after = videobert_jax.load(source.folder), videobert_jax.load(workdir.folder)
    text = "now let me show you how to [MASK] the [MASK]"
    assert after.fill(text) == before.fill(text)
    np.testing.assert_array_equal(after.embed(text=text), before.embed(text=text))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prepare": {"fps": 5.0, "backbone": "s3d"}}, r"fps is 5\.0, there 10\.0; prepare\.backbone is 's3d', there"),
        ({"model": {"hidden_size": 32}}, r"model\.hidden_size is 32, there 16"),
        ({"model": {"norm": "pre"}}, r"model\.norm is 'pre', there 'post'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_both_values(folder: pathlib.Path, changes, message: str) -> None:
    theirs = config_lib.load(folder / "run" / "config.json")
    sections = {name: dataclasses.replace(getattr(theirs, name), **values) for name, values in changes.items()}
    with pytest.raises(ConfigError, match=message):
        starting_point.find(dataclasses.replace(theirs, init_from=str(folder / "run"), **sections))


def test_a_folder_that_is_no_workdir_is_named(tmp_path: pathlib.Path) -> None:
    config = config_lib.Config(init_from=str(tmp_path), data=DataConfig())
    with pytest.raises(ConfigError, match=r"init_from is .*, expected the workdir of a run with a checkpoint, or with"):
        starting_point.find(config)


def test_a_workdir_needs_no_tokenizer(folder: pathlib.Path) -> None:
    theirs = config_lib.load(folder / "run" / "config.json")
    prepare = dataclasses.replace(theirs.prepare, tokenizer="bert")
    config = dataclasses.replace(theirs, init_from=str(folder / "run"), prepare=prepare)
    with pytest.raises(ConfigError, match=r"prepare\.tokenizer is 'bert', expected ''"):
        starting_point.find(config)


def test_a_run_that_has_begun_needs_the_other_one_no_more(folder: pathlib.Path) -> None:
    workdir = Workdir(folder / "run")
    config = dataclasses.replace(config_lib.load(workdir.config_file), init_from="gone")
    assert starting_point.find(config, workdir) == workdir


def test_other_words_are_refused(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    config = config_lib.load(folder / "run" / "config.json")
    config = dataclasses.replace(config, init_from=str(folder / "run"))
    other = Prepared(folder / "prepared")
    tokens = other.tokens()
    dataclasses.replace(tokens, visual_size=tokens.visual_size + 1).save(other.tokens_file)
    from videobert_jax.training import initial_params

    with pytest.raises(ConfigError, match=r"has other words or visual words\. Prepare again"):
        initial_params.load(config, make_task(config, other.tokens()), other)


ON_FOUR_DEVICES = """
import dataclasses, pathlib, sys
from absl import flags
from videobert_jax import config as config_lib
from videobert_jax.config import HeldOutConfig, MeshConfig, ZeroShotConfig
from videobert_jax.data.prepared import Prepared
from videobert_jax.evaluation import evaluator
from videobert_jax.tasks import make_task
from videobert_jax.training import loop
from videobert_jax.training.workdir import Workdir

flags.FLAGS.mark_as_parsed()
folder = pathlib.Path(sys.argv[1])
prepared, config = Prepared(folder / "prepared"), config_lib.load(folder / "run" / "config.json")
config = dataclasses.replace(
    config, steps=2, mesh=MeshConfig(data=2, fsdp=2),
    data=dataclasses.replace(config.data, cache=str(folder / "cache")),
    evaluators={"held_out": HeldOutConfig(every=2, batches=1), "zero_shot": ZeroShotConfig(every=2)},
)
task = make_task(config, prepared.tokens())
loop.train(config, task, evaluator.for_training(config, task, prepared), Workdir(folder / "new"), prepared)
"""


@pytest.mark.slow
@pytest.mark.soak
def test_any_evaluator_runs_while_a_model_is_trained_on_its_mesh(folder: pathlib.Path) -> None:
    flags = "--xla_force_host_platform_device_count=4 --xla_backend_optimization_level=0"
    command = [sys.executable, "-c", ON_FOUR_DEVICES, str(folder)]
    subprocess.run(command, check=True, env={**os.environ, "XLA_FLAGS": flags}, timeout=300)
    lines = writers.read(Workdir(folder / "new").metrics)
    (line,) = [line for line in lines if "zero_shot/verb_top1/cross_modal" in line]
    assert line["step"] == 2
    assert 0 <= line["zero_shot/verb_top1/cross_modal"] <= 1
