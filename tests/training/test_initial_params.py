"""What a run starts from: the words of a BERT, the visual words of the centroids, and which of them move."""

import os
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import jax
import numpy as np
import pytest
import safetensors.numpy
import tiny_run
from flax import traverse_util

from videobert_jax.config import Config
from videobert_jax.data.prepared import Prepared
from videobert_jax.errors import ConfigError
from videobert_jax.interop.bert import HEAD_BIAS, TOKEN_TABLE, load_bert, save_bert
from videobert_jax.model.videobert import VideoBert
from videobert_jax.tasks import make_task
from videobert_jax.tokenizer import ROLES
from videobert_jax.training import initial_params
from videobert_jax.training.checkpoints import Checkpoints
from videobert_jax.training.initial_params import Rows
from videobert_jax.training.program import make_program
from videobert_jax.training.sharding import make_mesh
from videobert_jax.training.state import TrainState
from videobert_jax.visual_words import vocabulary

TOKENS = tiny_run.TOKENS
TEXT, VISUAL = slice(0, TOKENS.text_size), slice(TOKENS.text_size, TOKENS.size)
# A batch's shapes, which is all that making a program wants of it.
BATCH = {name: np.zeros((8, 64), np.int32) for name in ("token_ids", "positions", "segment_types", "sequence_ids")}
BATCH |= {"prediction_positions": np.zeros((8, 12), np.int32), "cls_positions": np.zeros((8, 6), np.int32)}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A BERT in `bert/`, and a prepared folder in `prepared/` whose tokenizer is the BERT's."""
    folder = tmp_path_factory.mktemp("first_values")
    config = tiny_run.tiny_config(folder)
    shapes = jax.eval_shape(VideoBert(config.model, TOKENS).init, jax.random.key(0), BATCH)["params"]
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda x: rng.standard_normal(x.shape, np.float32) * 0.1, shapes)
    save_bert(folder / "bert", params, config.model, TOKENS)
    words = [*ROLES.values(), "[>]", *(f"word{index}" for index in range(6, TOKENS.text_size))]
    (folder / "bert" / "vocab.txt").write_text("\n".join(words) + "\n")
    prepared = tiny_run.write_prepared(folder / "prepared")
    shutil.copyfile(folder / "bert" / "vocab.txt", prepared / "tokenizer" / "vocab.txt")
    features = rng.standard_normal((300, 8), np.float32)
    tree = vocabulary.fit(features, branching=TOKENS.visual_size, depth=1, seed=0)
    tree.save(prepared / "vocabulary" / "tree.npz")
    return folder


def config_of(folders: pathlib.Path, init_from: pathlib.Path | None = None, **model: Any) -> Config:
    first = str(init_from or folders / "bert")
    model = {"visual_rows": "frozen", **model}
    prepare, optimizer = {"tokenizer": str(folders / "bert")}, {"weight_decay": 0.5}
    return tiny_run.tiny_config(
        folders / "cache", steps=2, init_from=first, model=model, prepare=prepare, optimizer=optimizer
    )


def first_state(config: Config, folders: pathlib.Path) -> tuple[TrainState, TrainState]:
    """Of a run with this config, and of one that starts at random."""
    program = make_program(config, make_task(config, TOKENS), make_mesh(config.mesh, jax.devices()[:1]))
    return program.init(
        initial_params.load(config, make_task(config, TOKENS), Prepared(folders / "prepared"))
    ), program.init()


def flat(params: Any) -> dict[str, np.ndarray]:
    return {path: np.asarray(x) for path, x in traverse_util.flatten_dict(params, sep="/").items()}


@pytest.mark.slow
def test_the_text_side_is_the_checkpoint_and_the_rest_as_ever(folders: pathlib.Path) -> None:
    config = config_of(folders, visual_rows="random")
    state, at_random = first_state(config, folders)
    params, before = flat(state.params), flat(at_random.params)
    expected = load_bert(folders / "bert", config.model, TOKENS)
    assert before.keys() - expected.keys() == {"alignment_head/kernel", "alignment_head/bias"}
    for path, values in params.items():
        given = expected.get(path, values[:0])
        np.testing.assert_array_equal(values[: len(given)], given, err_msg=path)
        np.testing.assert_array_equal(values[len(given) :], before[path][len(given) :], err_msg=path)
    jax.tree.map(np.testing.assert_array_equal, state.opt_state, at_random.opt_state)
    assert (int(state.step), state.rng) == (0, at_random.rng)


@pytest.mark.slow
def test_visual_rows_are_to_the_scale_of_the_words(folders: pathlib.Path) -> None:
    config = config_of(folders, visual_scale=3.0)
    table = flat(first_state(config, folders)[0].params)[TOKEN_TABLE]
    assert table[TEXT].std() == pytest.approx(0.1, rel=0.05)  # as the fixture drew them; init_std is 0.02
    assert table[VISUAL].std() == pytest.approx(3 * table[TEXT].std(), rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("text", "visual"), [("frozen", "frozen"), ("frozen", "centroids"), ("trained", "frozen")])
def test_frozen_rows_are_bitwise_as_they_were(
    folders: pathlib.Path, tmp_path: pathlib.Path, cache: pathlib.Path, text: str, visual: str
) -> None:
    """After updates with weight decay, in a run; what is not frozen moves, the tied head's bias too."""
    config = tiny_run.measured_by(config_of(folders, text_rows=text, visual_rows=visual))
    before = flat(first_state(config, folders)[0].params)
    tiny_run.train(config, tmp_path, folders / "prepared")
    program = make_program(config, make_task(config, TOKENS), make_mesh(config.mesh, jax.devices()[:1]))
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        state = checkpoints.restore(program.state)
    assert state is not None
    after = flat(state.params)
    for rows, choice in ((TEXT, text), (VISUAL, visual)):
        moved = np.any(after[TOKEN_TABLE][rows] != before[TOKEN_TABLE][rows], axis=1)
        assert not moved.any() if choice == "frozen" else moved.all()
        assert np.any(after[HEAD_BIAS][rows] != before[HEAD_BIAS][rows])


def test_a_run_with_other_words_is_refused(folders: pathlib.Path, tmp_path: pathlib.Path) -> None:
    other = shutil.copytree(folders / "bert", tmp_path / "other")
    (other / "vocab.txt").write_text((other / "vocab.txt").read_text().replace("word9\n", "egg\n"))
    with pytest.raises(ConfigError, match=r"^id 9 is 'word9' in the prepared data, 'egg' in the checkpoint in .*other"):
        first_state(config_of(folders, init_from=other), folders)


def test_what_a_checkpoint_lacks_is_told(folders: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    headless = shutil.copytree(folders / "bert", folders / "headless", dirs_exist_ok=True)
    tensors = safetensors.numpy.load_file(headless / "model.safetensors")
    kept = {name: x for name, x in tensors.items() if not name.startswith("cls.")}
    safetensors.numpy.save_file(kept, headless / "model.safetensors")
    config = config_of(folders, init_from=headless)
    initial_params.load(config, make_task(config, TOKENS), Prepared(folders / "prepared"))
    assert [record.getMessage() for record in caplog.records] == [
        f"{headless} has no prediction_head: it starts random"
    ]


@pytest.mark.slow
def test_rows_that_do_not_fit_are_refused(folders: pathlib.Path) -> None:
    state = first_state(config_of(folders), folders)[1]
    with pytest.raises(ValueError, match="could not broadcast"):
        initial_params.put(state, [Rows(TOKEN_TABLE, TOKENS.padded_size - 1, np.zeros((2, 64), np.float32))])


ON_EIGHT_DEVICES = """
import dataclasses, pathlib, sys
import jax, numpy as np
from test_initial_params import (TOKENS, config_of, flat, initial_params, make_mesh, make_program,
    make_task, Prepared)
from videobert_jax.config import MeshConfig
folders = pathlib.Path(sys.argv[1])
states = []
for mesh in (MeshConfig(1, 1, 1), MeshConfig(2, 2, 2), MeshConfig(1, 8, 1)):
    config = dataclasses.replace(config_of(folders), mesh=mesh)
    count = mesh.data * mesh.fsdp * mesh.tensor
    program = make_program(config, make_task(config, TOKENS), make_mesh(mesh, jax.devices()[:count]))
    given = initial_params.load(config, make_task(config, TOKENS), Prepared(folders / "prepared"))
    state = program.init(given)
    assert jax.tree.map(lambda x: x.sharding, state) == jax.tree.map(lambda x: x.sharding, program.state)
    states.append(flat(state.params))
for other in states[1:]:
    for rows in given:
        here = slice(rows.first, rows.first + len(rows.values))
        np.testing.assert_array_equal(other[rows.path][here], states[0][rows.path][here], err_msg=rows.path)
"""


@pytest.mark.slow
def test_every_mesh_starts_alike_and_placed(folders: pathlib.Path) -> None:
    paths = os.pathsep.join((str(pathlib.Path(__file__).parent), os.environ["PYTHONPATH"]))
    flags = "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0"
    environment = {**os.environ, "PYTHONPATH": paths, "XLA_FLAGS": flags}
    subprocess.run([sys.executable, "-c", ON_EIGHT_DEVICES, str(folders)], check=True, env=environment, timeout=300)
