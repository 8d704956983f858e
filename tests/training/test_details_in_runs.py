"""Runs that read more of clips than their visual words: they split over a mesh as others do."""

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import tiny_run
from flax import traverse_util

from videobert_jax.data.prepared import Prepared
from videobert_jax.errors import ConfigError
from videobert_jax.model.visual_input import CENTROIDS, CODEBOOKS
from videobert_jax.tasks import make_task
from videobert_jax.training import initial_params
from videobert_jax.visual_words.details import Details

MODELS = [{"visual_input": "both"}, {"visual_input": "codes", "fusion": "cross"}]


@pytest.mark.parametrize("model", MODELS)
def test_a_run_keeps_the_tables_of_its_vocabulary(
    detailed: pathlib.Path, tmp_path: pathlib.Path, model: dict[str, str]
) -> None:
    config = tiny_run.tiny_config(tmp_path, model=model)
    task = make_task(config, tiny_run.DETAILED)
    given = {rows.path: rows.values for rows in initial_params.load(config, task, Prepared(detailed))}
    details = Details.load(Prepared(detailed).details)
    expected = {CENTROIDS: details.centroids}
    if model["visual_input"] == "codes":
        expected[CODEBOOKS] = details.codebooks.reshape(-1, details.codebooks.shape[-1])
    shapes = traverse_util.flatten_dict(task.abstract_params(), sep="/")
    for path, values in expected.items():
        np.testing.assert_array_equal(given[path], values)
        assert shapes[path].shape == values.shape
    assert {frozen.path for frozen in task.frozen} >= expected.keys()
    assert shapes.keys() & {CENTROIDS, CODEBOOKS} == expected.keys()


@pytest.mark.parametrize(("visual_input", "missing"), [("both", "feature_size"), ("codes", "codebooks")])
def test_records_that_hold_no_details_are_refused(tmp_path: pathlib.Path, visual_input: str, missing: str) -> None:
    config = tiny_run.tiny_config(tmp_path, model={"visual_input": visual_input})
    with pytest.raises(ConfigError, match=rf"the records hold no such thing \(prepare\.{missing} was 0"):
        make_task(config, tiny_run.TOKENS)


ON_EIGHT_DEVICES = """
import json, pathlib, sys
import jax, numpy as np, tiny_run
from videobert_jax.data.records import RecordSource
from videobert_jax.data import batching
from videobert_jax.tasks import make_task
from videobert_jax.data.prepared import Prepared
from videobert_jax.training import initial_params, sharding
from videobert_jax.training.program import make_program
from videobert_jax.training.reporting import writers
prepared, models = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])
results = []
for model in models:
    for sizes in ((1, 1, 1), (2, 2, 2)):
        mesh = dict(zip(sharding.AXES, sizes))
        config = tiny_run.tiny_config(prepared.parent / "cache", model=model, mesh=mesh)
        task = make_task(config, tiny_run.DETAILED)
        devices = sharding.make_mesh(config.mesh, jax.devices()[: int(np.prod(sizes))])
        source = RecordSource(prepared / "records", "train")
        batch = batching.dataset(source, task.row, task.group, config.data, 0)[0]
        arrays = sharding.to_global(batch, range(8), devices, 8)
        program = make_program(config, task, devices)
        with jax.set_mesh(devices):
            state, step = program.init(), program.compile_train_step()
            state = initial_params.put(state, initial_params.load(config, task, Prepared(prepared)))
            for _ in range(2):
                state, metrics = step(state, arrays)
        results.append(writers.means(jax.device_get(metrics)))
print(json.dumps(results))
"""


@pytest.mark.slow
@pytest.mark.soak
def test_eight_devices_agree_with_one(detailed: pathlib.Path) -> None:
    """Sums in another order; Adam amplifies it from step to step, as in tests/distributed/test_meshes.py."""
    paths = os.pathsep.join((str(pathlib.Path(__file__).parent), os.environ["PYTHONPATH"]))
    flags = "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0"
    done = subprocess.run(
        [sys.executable, "-c", ON_EIGHT_DEVICES, str(detailed), json.dumps(MODELS)],
        env={**os.environ, "PYTHONPATH": paths, "XLA_FLAGS": flags},
        stdout=subprocess.PIPE,
        check=True,
        timeout=600,
    )
    results: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    for one, eight in zip(results[::2], results[1::2], strict=True):
        assert eight == pytest.approx(one, rel=1e-4)
