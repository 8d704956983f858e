import dataclasses
import errno
import json
import pathlib
import shutil

import pytest

from videobert_jax import config as config_lib
from videobert_jax.config import CheckpointConfig, Config, HeldOutConfig, MeshConfig, ModelConfig, PretrainingConfig
from videobert_jax.data.prepared import Prepared
from videobert_jax.errors import ConfigError
from videobert_jax.training.workdir import Workdir

OLD_CONFIG = pathlib.Path(__file__).parents[1] / "config" / "config_of_51d42bd.json"


@pytest.fixture
def prepared(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "prepared"
    for name in ("tokenizer", "vocabulary/frames"):
        (folder / name).mkdir(parents=True)
    (folder / "tokens.json").write_text("{}")
    (folder / "tokenizer" / "tokenizer.json").write_text("{}")
    (folder / "vocabulary" / "tree.npz").write_text("{}")
    (folder / "vocabulary" / "frames" / "00000.jpg").write_bytes(b"picture")
    return folder


def begun(config: Config, workdir: pathlib.Path, prepared: pathlib.Path) -> pathlib.Path:
    """The folder of a run with a checkpoint."""
    Workdir(workdir).open(config, Prepared(prepared))
    (workdir / "checkpoints" / "10").mkdir(parents=True)
    return workdir


def test_a_workdir_describes_itself(tmp_path: pathlib.Path, prepared: pathlib.Path) -> None:
    workdir = tmp_path / "new" / "run"
    Workdir(workdir).open(Config(steps=7), Prepared(prepared))
    assert config_lib.load(workdir / "config.json").steps == 7
    assert (workdir / "tokens.json").exists()
    assert (workdir / "tokenizer" / "tokenizer.json").exists()
    assert (workdir / "vocabulary" / "frames" / "00000.jpg").read_bytes() == b"picture"


def test_another_config_is_refused_with_the_keys_named(tmp_path: pathlib.Path, prepared: pathlib.Path) -> None:
    begun(Config(), tmp_path / "run", prepared)
    other = Config(seed=1, model=ModelConfig(num_layers=2))
    with pytest.raises(ValueError, match=r"model.num_layers was 24, is 2; seed was 0, is 1\. Choose another --workdir"):
        Workdir(tmp_path / "run").open(other, Prepared(prepared))


def test_values_that_only_affect_execution_may_change(tmp_path: pathlib.Path, prepared: pathlib.Path) -> None:
    begun(Config(), tmp_path / "run", prepared)
    longer = Config(
        steps=600_000,
        mesh=MeshConfig(fsdp=2),
        model=ModelConfig(attention="xla"),
        data=dataclasses.replace(Config().data, prefetch=1),
        evaluators={"held_out": HeldOutConfig(every=5)},
    )
    Workdir(tmp_path / "run").open(longer, Prepared(prepared))
    assert config_lib.load(tmp_path / "run" / "config.json") == longer


@pytest.mark.parametrize("name", ["tokens.json", "tokenizer/tokenizer.json", "vocabulary/tree.npz"])
def test_other_tokens_are_refused(tmp_path: pathlib.Path, prepared: pathlib.Path, name: str) -> None:
    """Even if their number is the same, since ids would mean other words."""
    begun(Config(), tmp_path / "run", prepared)
    (prepared / name).write_text((prepared / name).read_text()[::-1])
    with pytest.raises(ValueError, match=f"trained with another {pathlib.Path(name).name}"):
        Workdir(tmp_path / "run").open(Config(), Prepared(prepared))


def test_a_run_without_a_checkpoint_accepts_another_config(tmp_path: pathlib.Path, prepared: pathlib.Path) -> None:
    """An invalid value, such as a batch that does not divide over the mesh, is corrected in the same folder."""
    Workdir(tmp_path / "run").open(Config(), Prepared(prepared))
    (prepared / "tokens.json").write_text("[]")
    (prepared / "vocabulary" / "frames" / "00000.jpg").rename(prepared / "vocabulary" / "frames" / "00001.jpg")
    Workdir(tmp_path / "run").open(Config(seed=1), Prepared(prepared))
    assert config_lib.load(tmp_path / "run" / "config.json").seed == 1
    assert (tmp_path / "run" / "tokens.json").read_text() == "[]"
    assert [path.name for path in (tmp_path / "run" / "vocabulary" / "frames").iterdir()] == ["00001.jpg"]


def test_two_programs_do_not_work_in_one_folder(tmp_path: pathlib.Path) -> None:
    busy = pytest.raises(BlockingIOError, match="another program is using the workdir")
    with Workdir(tmp_path).locked(), busy, Workdir(tmp_path).locked():
        pytest.fail("both are in")
    with Workdir(tmp_path).locked():
        pass


FULL = "No space left on device"


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, FULL), ValueError(f"... {FULL} ...")])
def test_a_full_disk_is_explained(tmp_path: pathlib.Path, error: Exception) -> None:
    with (
        pytest.raises(OSError, match="the disk of the workdir is full; saved checkpoints are kept"),
        Workdir(tmp_path).locked(),
    ):
        raise error
    with pytest.raises(ValueError, match="other"), Workdir(tmp_path).locked():
        raise ValueError("other")


def test_a_damaged_config_is_named(tmp_path: pathlib.Path, prepared: pathlib.Path) -> None:
    begun(Config(), tmp_path / "run", prepared)
    for text in ("", "[]", '{"steps": '):
        (tmp_path / "run" / "config.json").write_text(text)
        with pytest.raises(ConfigError, match=r"config.json is damaged .*; or remove config.json to continue"):
            Workdir(tmp_path / "run").check(Config())


def test_a_run_of_an_older_version_resumes(tmp_path: pathlib.Path, prepared: pathlib.Path) -> None:
    """Its config.json has other keys and lacks some; it is rewritten."""
    config = config_lib.load(OLD_CONFIG)
    workdir = Workdir(begun(config, tmp_path / "run", prepared))
    shutil.copyfile(OLD_CONFIG, workdir.config_file)
    freely = HeldOutConfig(every=7, batches=3)
    config = dataclasses.replace(config, evaluators={"held_out": freely}, checkpoint=CheckpointConfig(every=5))
    workdir.check(config)
    other = dataclasses.replace(config, init_from="bert", task=PretrainingConfig())
    with pytest.raises(
        ConfigError, match=r"init_from was '', is 'bert'.* task\.weights\.video was 0\.1, is 1\.0\. Choose"
    ):
        workdir.check(other)
    workdir.open(config, Prepared(prepared))
    assert workdir.config_file.read_text() == config_lib.to_json(config)


def test_a_value_that_an_older_version_did_not_have_has_its_default(
    tmp_path: pathlib.Path, prepared: pathlib.Path
) -> None:
    workdir = Workdir(begun(Config(), tmp_path / "run", prepared))
    values = json.loads(workdir.config_file.read_text())
    del values["model"]["norm"]
    workdir.config_file.write_text(json.dumps(values))
    workdir.check(Config())
    with pytest.raises(ConfigError, match=r"another config: model\.norm was 'post', is 'pre'\."):
        workdir.check(Config(model=ModelConfig(norm="pre")))


def test_a_config_with_unknown_keys_is_an_error(tmp_path: pathlib.Path, prepared: pathlib.Path) -> None:
    workdir = Workdir(begun(Config(), tmp_path / "run", prepared))
    workdir.config_file.write_text('{"model": {"experts": 8}}')
    with pytest.raises(ConfigError, match=r"config\.model has no key 'experts'; .* or remove config\.json to continue"):
        workdir.check(Config())


def test_a_workdir_knows_its_data(tmp_path: pathlib.Path, prepared: pathlib.Path, monkeypatch) -> None:
    """From any working directory, even if the videos are gone."""
    (prepared / "records").mkdir()
    monkeypatch.chdir(tmp_path)
    Workdir(tmp_path / "run").open(Config(), Prepared(prepared.relative_to(tmp_path)))
    monkeypatch.chdir("/")
    assert Workdir(tmp_path / "run").prepared() == Prepared(prepared)
    (prepared / "records").rmdir()
    with pytest.raises(FileNotFoundError, match=r"the data of .* to prepare it again"):
        Workdir(tmp_path / "run").prepared()
    with pytest.raises(FileNotFoundError, match="not the folder of a run"):
        Workdir(tmp_path).prepared()


def test_a_file_in_the_way_is_a_clear_error(tmp_path: pathlib.Path, prepared: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot write to the workdir .* name another with --workdir=DIR"):
        Workdir(tmp_path / "file" / "run").open(Config(), Prepared(prepared))
