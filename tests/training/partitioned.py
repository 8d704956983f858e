"""Prints the collectives of the training step on meshes of eight CPU devices.

python partitioned.py '{"all": [2, 2, 2], ...}'     {"all": [[kind, axes, sizes, label, looped], ...], ...} as JSON
"""

import dataclasses
import json
import sys
from collections.abc import Iterator

import jax
import numpy as np
import tiny_run
from jax.sharding import Mesh

from videobert_jax.config import Config, DataConfig, MeshConfig, ModelConfig, OptimizerConfig, PretrainingConfig
from videobert_jax.planning import collectives, hlo
from videobert_jax.tasks import make_task
from videobert_jax.training import sharding
from videobert_jax.training.program import make_program

# No parameter has as many elements as a part of an activation; activations are float32, to derive elements from bytes.
CONFIG = Config(
    steps=10,
    data=DataConfig(batch_size=16, sequence_length=28, max_sequences=3),
    task=PretrainingConfig(max_predictions=6, chunks_per_row=1),
    model=ModelConfig(
        num_layers=2, hidden_size=40, num_heads=4, mlp_size=88, max_positions=36, dtype="float32", attention="xla"
    ),
    optimizer=OptimizerConfig(),
)


def collectives_of(mesh: Mesh) -> Iterator[tuple[str, list[str], list[int], str, bool]]:
    """Kind, mesh axes, elements of each result on a device, label, and whether it is in the loop over layers."""
    with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
        program = make_program(CONFIG, make_task(CONFIG, tiny_run.TOKENS), mesh)
        module = hlo.parse(program.compile_train_step().as_text() or "")
    for computation in module.computations.values():
        for instruction in computation.instructions.values():
            if found := collectives.find(module, computation, instruction):
                places = np.array(np.unravel_index(found.group, mesh.devices.shape))
                axes = [axis for axis, place in zip(sharding.AXES, places, strict=True) if len(set(place)) > 1]
                elements = [array.size // 4 for array in instruction.arrays]
                yield found.kind, axes, elements, instruction.label, computation is not module.entry


if __name__ == "__main__":
    result = {}
    for name, sizes in json.loads(sys.argv[1]).items():
        config = dataclasses.replace(CONFIG, mesh=MeshConfig(*sizes))
        result[name] = list(collectives_of(sharding.make_mesh(config.mesh, jax.devices()[: int(np.prod(sizes))])))
    print(json.dumps(result))
