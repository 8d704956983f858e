import logging
import os
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from videobert_jax.config import MeshConfig, OptimizerConfig
from videobert_jax.training import checkpoints as checkpoints_module
from videobert_jax.training import sharding
from videobert_jax.training.checkpoints import Checkpoints
from videobert_jax.training.optimizer import make_optimizer
from videobert_jax.training.state import TrainState, initializer


def make_state(step: int = 0) -> TrainState:
    """A small state whose values depend on its step."""
    optimizer = make_optimizer(OptimizerConfig(), steps=10).transformation
    state = jax.jit(initializer(lambda key: {"wi": {"kernel": jax.random.normal(key, (4, 4))}}, optimizer, seed=0))()
    return state.replace(step=jnp.int32(step), params=jax.tree.map(lambda x: x + step, state.params))


def abstract_state() -> TrainState:
    mesh = sharding.make_mesh(MeshConfig(), jax.devices()[:1])
    return sharding.placed(jax.eval_shape(make_state), mesh)


def assert_equal(a: TrainState, b: TrainState) -> None:
    def raw(x: jax.Array) -> jax.Array:
        return jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x

    jax.tree.map(lambda x, y: np.testing.assert_array_equal(raw(x), raw(y)), a, b)


def save(directory: pathlib.Path, losses: dict[int, float], keep: int = 2) -> None:
    with Checkpoints(directory, keep) as checkpoints:
        for step, loss in losses.items():
            checkpoints.save(step, make_state(step), loss)


def test_a_restored_state_is_bitwise_the_saved_one(tmp_path: pathlib.Path) -> None:
    save(tmp_path, {3: 1.0})
    with Checkpoints(tmp_path, 2) as checkpoints:
        restored = checkpoints.restore(abstract_state())
    assert restored is not None
    assert_equal(restored, make_state(3))


def test_an_empty_folder_restores_nothing(tmp_path: pathlib.Path) -> None:
    with Checkpoints(tmp_path, 2) as checkpoints:
        assert checkpoints.restore(abstract_state()) is None


def test_the_newest_and_the_best_are_kept(tmp_path: pathlib.Path) -> None:
    save(tmp_path, {1: 3.0, 2: 1.0, 3: 2.0, 4: 2.5, 5: 2.6})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "4", "5"]
    with Checkpoints(tmp_path, 2) as checkpoints:
        assert checkpoints.best_step() == 2
        best = checkpoints.restore_step(2, abstract_state())
    assert_equal(best, make_state(2))


def empty(step: pathlib.Path) -> None:
    shutil.rmtree(step)
    step.mkdir()


def truncate(step: pathlib.Path) -> None:
    largest = max((path for path in step.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[: largest.stat().st_size // 2])


def cut_metrics(step: pathlib.Path) -> None:
    (step / "metrics" / "metrics").write_text('{"held')


def metrics_of_another_shape(text: str) -> Callable[[pathlib.Path], None]:
    """Valid JSON, but not what `save` writes."""

    def damage(step: pathlib.Path) -> None:
        (step / "metrics" / "metrics").write_text(text)

    return damage


OTHER_METRICS = [
    "{}",
    "[]",
    "3.0",
    *(f'{{"held_out_loss": {value}}}' for value in ('"2"', "null", "true", "NaN", "[2]")),
]


@pytest.mark.parametrize("damage", [empty, truncate])
def test_a_damaged_newest_checkpoint_is_renamed_with_a_warning(damage, tmp_path, caplog) -> None:
    save(tmp_path, {1: 3.0, 2: 2.0})
    damage(tmp_path / "2")
    with caplog.at_level(logging.WARNING), Checkpoints(tmp_path, 2) as checkpoints:
        restored = checkpoints.restore(abstract_state())
        assert restored is not None
        assert_equal(restored, make_state(1))
        assert f"CHECKPOINT {tmp_path / '2'} IS DAMAGED" in caplog.text
        checkpoints.save(2, make_state(2), 2.0)  # the resumed run reaches that step again
    assert {path.name for path in tmp_path.iterdir()} == {"1", "2", "2.damaged"}


def test_renamed_checkpoints_do_not_collide(tmp_path, caplog) -> None:
    save(tmp_path, {1: 3.0, 2: 2.0})
    names = {"1", "2"}
    for name in ("2.damaged", "2.damaged.2", "2.damaged.3"):
        empty(tmp_path / "2")
        with caplog.at_level(logging.WARNING), Checkpoints(tmp_path, 2) as checkpoints:
            restored = checkpoints.restore(abstract_state())
            assert restored is not None
            assert int(restored.step) == 1
            checkpoints.save(2, make_state(2), 2.0)
        names.add(name)
        assert {path.name for path in tmp_path.iterdir()} == names
        assert f"is renamed to {name}\n" in caplog.text


def test_a_failed_renaming_is_reported_to_all_processes(tmp_path: pathlib.Path, monkeypatch) -> None:
    save(tmp_path, {1: 3.0, 2: 2.0})
    empty(tmp_path / "2")
    told = []
    gather = checkpoints_module.multihost_utils.process_allgather

    def noted(x: np.ndarray, **options: Any) -> Any:
        if not options:  # JAX's own barriers pass options
            told.append(bool(x))
        return gather(x, **options)

    monkeypatch.setattr(checkpoints_module.multihost_utils, "process_allgather", noted)

    def rename(self: pathlib.Path, target: pathlib.Path) -> None:
        raise PermissionError(13, os.strerror(13), str(self))

    with Checkpoints(tmp_path, 2) as checkpoints, monkeypatch.context() as patch:
        told.clear()
        patch.setattr(pathlib.PosixPath, "rename", rename)
        with pytest.raises(OSError, match=r"2 is damaged and cannot be renamed .*Permission denied"):
            checkpoints.restore(abstract_state())
    assert told == [False, True, False]  # step 2 is read, step 1 is read, all is renamed


def test_nothing_changes_if_no_checkpoint_is_readable(tmp_path: pathlib.Path) -> None:
    save(tmp_path, {1: 3.0, 2: 2.0})
    empty(tmp_path / "1")
    empty(tmp_path / "2")
    with Checkpoints(tmp_path, 2) as checkpoints, pytest.raises(OSError, match="none of the checkpoints in") as caught:
        checkpoints.restore(abstract_state())
    assert str(tmp_path) in str(caught.value)
    assert "choose another --workdir" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"1", "2"}


@pytest.mark.parametrize("damage", [cut_metrics, *map(metrics_of_another_shape, OTHER_METRICS)])
@pytest.mark.parametrize("steps", [[2], [1, 2]])
def test_a_checkpoint_with_damaged_metrics_is_not_lost(damage, steps: list[int], tmp_path, caplog) -> None:
    """It can no longer be the best, but can still be restored."""
    save(tmp_path, {1: 3.0, 2: 2.0})
    for step in steps:
        damage(tmp_path / str(step))
    with pytest.raises(OSError, match=r"/metrics is damaged; expected a JSON object with one number\. Resume the run"):
        Checkpoints(tmp_path, 2, read_only=True)
    for _ in range(2):  # the second start gives no warning
        with caplog.at_level(logging.WARNING), Checkpoints(tmp_path, 2) as checkpoints:
            restored = checkpoints.restore(abstract_state())
            assert restored is not None
            assert_equal(restored, make_state(2))
            assert checkpoints.best_step() == (1 if steps == [2] else None)
    assert caplog.text.count("metrics IS DAMAGED and is renamed to metrics.damaged") == len(steps)
    with Checkpoints(tmp_path, 2) as checkpoints:
        checkpoints.save(3, make_state(3), 1.0)
    assert {path.name for path in tmp_path.iterdir()} == {"2", "3"}


def test_partial_writes_of_a_killed_run_are_not_checkpoints(tmp_path: pathlib.Path) -> None:
    save(tmp_path, {1: 3.0})
    (tmp_path / "2.orbax-checkpoint-tmp").mkdir()
    with Checkpoints(tmp_path, 2) as checkpoints:
        restored = checkpoints.restore(abstract_state())
        assert restored is not None
        assert int(restored.step) == 1
        checkpoints.save(2, make_state(2), 2.0)
    assert {path.name for path in tmp_path.iterdir()} == {"1", "2"}


def test_reading_changes_nothing(tmp_path: pathlib.Path) -> None:
    save(tmp_path, {1: 3.0, 2: 2.0})
    empty(tmp_path / "2")
    (tmp_path / "3.orbax-checkpoint-tmp").mkdir()  # another run is writing it
    before = sorted(tmp_path.rglob("*"))
    with Checkpoints(tmp_path, read_only=True) as checkpoints:
        restored = checkpoints.restore(abstract_state())
    assert restored is not None
    assert int(restored.step) == 1
    assert sorted(tmp_path.rglob("*")) == before
    with Checkpoints(tmp_path / "none", read_only=True) as checkpoints:
        assert checkpoints.restore(abstract_state()) is None
    assert not (tmp_path / "none").exists()
