"""An exported run, used by processes without this package."""

import dataclasses
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import jax
import numpy as np
import pytest
import transformers
from safetensors.numpy import load_file

from videobert_jax import config as config_lib
from videobert_jax import tokenizer
from videobert_jax.config import Config, ModelConfig
from videobert_jax.inference import portable
from videobert_jax.model.videobert import VideoBert
from videobert_jax.tasks import make_task
from videobert_jax.training.checkpoints import Checkpoints
from videobert_jax.training.program import make_program
from videobert_jax.training.sharding import make_mesh

pytestmark = pytest.mark.slow  # further processes
ROOT = pathlib.Path(__file__).parent.parent
CONFIG = Config(
    model=ModelConfig(num_layers=2, hidden_size=32, num_heads=2, mlp_size=64, max_positions=64, dtype="bfloat16"),
    data=config_lib.DataConfig(sequence_length=64),
)
WORDS = tokenizer.train(["now we cut the apple", "then stir the soup"] * 5, 100)
TOKENS = WORDS.token_space(visual_size=30)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, Any]:
    """The folder of a run, and the parameters of its checkpoint."""
    workdir = tmp_path_factory.mktemp("export") / "run"
    WORDS.save(workdir / "tokenizer")
    TOKENS.save(workdir / "tokens.json")
    (workdir / "config.json").write_text(config_lib.to_json(CONFIG))
    mesh = make_mesh(CONFIG.mesh, jax.devices()[:1])
    with jax.set_mesh(mesh), Checkpoints(workdir / "checkpoints") as checkpoints:
        state = make_program(CONFIG, make_task(CONFIG, TOKENS), mesh).init()
        checkpoints.save(1, state, 0.0)
    return workdir, state.params


def run_door(workdir: pathlib.Path, output: pathlib.Path) -> subprocess.CompletedProcess[str]:
    cli = [sys.executable, str(ROOT / "launch" / "export.py"), f"--workdir={workdir}", f"--output={output}"]
    return subprocess.run(cli, capture_output=True, text=True, cwd=ROOT, timeout=300)


@pytest.fixture(scope="module")
def exported(run: tuple[pathlib.Path, Any]) -> pathlib.Path:
    output = run[0].parent / "exported"
    result = run_door(run[0], output)
    assert result.returncode == 0, result.stderr
    return output


def batch_of(rows: int, length: int, places: int) -> dict[str, np.ndarray]:
    """Random sequences of both modalities, the last with padding at its end."""
    rng = np.random.default_rng(rows)
    ids = rng.integers(6, TOKENS.size, (rows, length))
    ids[-1, -3:] = TOKENS.pad
    batch = {
        "token_ids": ids,
        "positions": np.broadcast_to(np.arange(length), ids.shape),
        "segment_types": ids >= TOKENS.text_size,
        "sequence_ids": ids != TOKENS.pad,
        "prediction_positions": rng.integers(0, length, (rows, places)),
    }
    return {name: np.asarray(x, np.int32) for name, x in batch.items()}


def test_the_documented_way_gives_the_same_bits_in_another_process(
    run: tuple[pathlib.Path, Any], exported: pathlib.Path
) -> None:
    """At two sizes of each dimension, without this package."""
    batches = [batch_of(2, 16, 3), batch_of(5, 64, 8)]
    for index, batch in enumerate(batches):
        np.savez(exported.parent / f"batch{index}.npz", **batch)
    documented = (ROOT / "docs" / "export.md").read_text().split("```python\n")[1].split("```")[0]
    program = (
        f"{documented}\nimport sys\n"
        "for index in range(2):\n"
        "    batch = np.load(f'batch{index}.npz')\n"
        "    result = answer(batch['token_ids'], batch['segment_types'], batch['prediction_positions'])\n"
        "    np.savez(f'answer{index}.npz', **result)\n"
        "assert 'videobert_jax' not in sys.modules and 'flax' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=exported.parent, timeout=300)
    model = VideoBert(dataclasses.replace(CONFIG.model, attention="xla"), TOKENS)
    for index, batch in enumerate(batches):
        there = np.load(exported.parent / f"answer{index}.npz")
        batch["cls_positions"] = np.zeros((len(batch["token_ids"]), 1), np.int32)
        here = jax.jit(model.apply)({"params": run[1]}, batch)
        np.testing.assert_array_equal(there["hidden"], here.hidden.astype(np.float32), err_msg=f"batch {index}")
        np.testing.assert_array_equal(there["predictions"], here.predictions, err_msg=f"batch {index}")
        np.testing.assert_array_equal(there["alignment"], here.alignment, err_msg=f"batch {index}")


def test_it_is_lowered_for_every_platform(exported: pathlib.Path) -> None:
    program = jax.export.deserialize(bytearray((exported / portable.PROGRAM).read_bytes()))
    assert program.platforms == ("cpu", "cuda", "tpu")


def test_a_sequence_longer_than_the_positions_is_refused(exported: pathlib.Path) -> None:
    program = jax.export.deserialize(bytearray((exported / portable.PROGRAM).read_bytes()))
    with pytest.raises(ValueError, match="shapes"):
        batch = {**batch_of(1, 65, 1), "cls_positions": np.zeros((1, 1), np.int32)}
        program.call(load_file(exported / portable.WEIGHTS), batch)


def test_transformers_opens_the_text_side(run: tuple[pathlib.Path, Any], exported: pathlib.Path) -> None:
    words = transformers.AutoTokenizer.from_pretrained(exported / "bert")
    text = "Now we stir the [MASK]"
    assert words(text)["input_ids"] == [TOKENS.cls, *WORDS.encode(text), TOKENS.sep]
    settings = transformers.AutoConfig.from_pretrained(exported / "bert")
    assert (settings.model_type, settings.vocab_size, settings.num_hidden_layers) == ("bert", TOKENS.text_size, 2)


@pytest.mark.needs("torch")
def test_transformers_computes_the_same_logits(run: tuple[pathlib.Path, Any], exported: pathlib.Path) -> None:
    import torch

    theirs = transformers.AutoModelForMaskedLM.from_pretrained(exported / "bert", attn_implementation="eager").eval()
    ids = np.array([[TOKENS.cls, *WORDS.encode("now we stir the [MASK]"), TOKENS.sep]], np.int32)
    with torch.no_grad():
        expected = theirs(torch.tensor(ids, dtype=torch.long)).logits.numpy()
    places = np.broadcast_to(np.arange(ids.shape[1], dtype=np.int32), ids.shape)
    batch = {"token_ids": ids, "positions": places, "segment_types": 0 * ids, "sequence_ids": 0 * ids + 1}
    batch |= {"prediction_positions": places, "cls_positions": 0 * ids[:, :1]}
    model = VideoBert(ModelConfig(**{**vars(CONFIG.model), "dtype": "float32"}), TOKENS)
    logits = portable.answer(model, run[1], batch)["predictions"]
    # float32 sums in another order; the logits are of size 1
    np.testing.assert_allclose(logits[..., : TOKENS.text_size], expected, atol=1e-5)


def test_what_is_no_run_is_named(tmp_path: pathlib.Path, run: tuple[pathlib.Path, Any]) -> None:
    (tmp_path / "untrained").mkdir()
    for name in ("config.json", "tokens.json"):
        shutil.copyfile(run[0] / name, tmp_path / "untrained" / name)
    for workdir, message in ((tmp_path, "has no config.json"), (tmp_path / "untrained", "holds no checkpoint")):
        cli = [
            sys.executable,
            str(ROOT / "launch" / "export.py"),
            f"--workdir={workdir}",
            f"--output={tmp_path / 'o'}",
        ]
        result = subprocess.run(cli, capture_output=True, text=True, cwd=ROOT, timeout=300)
        assert result.returncode == 2 and message in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "o").exists()
