"""Measures the time and peak memory of loading a trained model.

    python benchmarks/loading.py --size=base

Writes a workdir of that size with random weights and the full train state of AdamW to a temporary folder, and loads it
in separate processes. The peer restores the whole train state, as a resumed run does. Peaks are relative to a process
that has imported `videobert_jax.inference.model` and started JAX, whose own cost is printed too.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from absl import app, flags

_SIZE = flags.DEFINE_enum("size", "base", ["tiny", "small", "base", "large"], "Size, as in configs/base.py.")

PEAK = """
import resource, sys, time
began = time.perf_counter()
import videobert_jax
alone = time.perf_counter() - began
import jax
jax.devices()
started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
import videobert_jax.inference.model
imported = time.perf_counter() - began
began = time.perf_counter()
"""
REPORT = """
import json
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
size = sum(x.nbytes for x in jax.tree.leaves(params))
seconds = time.perf_counter() - began
costs = {"alone": alone, "started": started, "imported": imported}
print(json.dumps({"peak": peak, "bytes": size, "seconds": seconds, **costs}))
"""
WAYS = {
    "nothing": "params = {}",
    "parameters alone (videobert_jax.load)": "params = videobert_jax.load(sys.argv[1]).params",
    "whole train state": """
import pathlib
from videobert_jax import config as config_lib
from videobert_jax.tasks import make_task
from videobert_jax.training.checkpoints import Checkpoints
from videobert_jax.training.program import make_program
from videobert_jax.training.sharding import make_mesh
from videobert_jax.training.workdir import Workdir
workdir = Workdir(pathlib.Path(sys.argv[1]))
config = config_lib.load(workdir.config_file)
program = make_program(config, make_task(config, workdir.tokens()), make_mesh(config.mesh))
with Checkpoints(workdir.checkpoints, read_only=True) as checkpoints:
    params = checkpoints.restore(program.state).params
""",
}
WRITE = """
import pathlib, sys
import jax
sys.path.insert(0, sys.argv[3])
from configs import base
from videobert_jax import config as config_lib
from videobert_jax.tasks import make_task
from videobert_jax.tokens import TokenSpace
from videobert_jax.training.checkpoints import Checkpoints
from videobert_jax.training.program import make_program
from videobert_jax.training.sharding import make_mesh
from videobert_jax.training.workdir import Workdir
workdir, tokens = Workdir(pathlib.Path(sys.argv[1])), TokenSpace(4096, 1728, 0, 1, 2, 3, 4, 5)
config = config_lib.from_config_dict(base.get_config(sys.argv[2]))
workdir.folder.mkdir(exist_ok=True)
workdir.config_file.write_text(config_lib.to_json(config))
tokens.save(workdir.tokens_file)
mesh = make_mesh(config.mesh)
with jax.set_mesh(mesh), Checkpoints(workdir.checkpoints) as checkpoints:
    checkpoints.save(1, make_program(config, make_task(config, tokens), mesh).init(), None)
"""


def run(code: str, *arguments: str) -> str:
    """Runs a program in a separate process and returns its output."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def main(_: list[str]) -> None:
    """Prints a line for each way of loading."""
    root = str(pathlib.Path(__file__).parent.parent)
    with tempfile.TemporaryDirectory() as folder:
        run(WRITE, folder, _SIZE.value, root)
        found = {name: json.loads(run(PEAK + way + REPORT, folder)) for name, way in WAYS.items()}
    floor = found.pop("nothing")
    print(
        f"import videobert_jax: {floor['alone'] * 1000:.0f} ms; JAX started: {floor['started'] / 2**20:,.0f} MiB; with "
        f"all that loading imports: {floor['imported']:.1f} s, {floor['peak'] / 2**20:,.0f} MiB"
    )
    for name, one in found.items():
        above = one["peak"] - floor["peak"]
        print(
            f"{name}: {one['seconds']:.1f} s, peak {above / 2**20:,.0f} MiB above that, "
            f"{above / one['bytes']:.2f} x the {one['bytes'] / 2**20:,.0f} MiB of the parameters"
        )


if __name__ == "__main__":
    app.run(main)
