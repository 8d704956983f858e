"""What a run is: frozen dataclasses inside, a ConfigDict or JSON at the edge.

`tree.py` has the whole, `prepare.py`, `tasks.py` and `evaluators.py` some of its sections. The rule that a value has to
meet stands beside its field (`rules.py`). `reading.py` makes a `Config` of what people write, `checking.py` finds out
before anything takes time, and without JAX, whether its values make sense.
"""

from videobert_jax.config.checking import check
from videobert_jax.config.evaluators import EVALUATORS, EvaluatorConfig, HeldOutConfig, ZeroShotConfig
from videobert_jax.config.prepare import KitchenConfig, PrepareConfig
from videobert_jax.config.reading import from_config_dict, load, require_key, to_config_dict, to_json
from videobert_jax.config.rules import Change, changes, flat, settings
from videobert_jax.config.tasks import TASKS, LossWeights, PretrainingConfig, TaskConfig
from videobert_jax.config.tree import (
    CheckpointConfig,
    Config,
    DataConfig,
    MeshConfig,
    ModelConfig,
    OptimizerConfig,
    ReportConfig,
)

__all__ = [
    "EVALUATORS",
    "TASKS",
    "Change",
    "CheckpointConfig",
    "Config",
    "DataConfig",
    "EvaluatorConfig",
    "HeldOutConfig",
    "KitchenConfig",
    "LossWeights",
    "MeshConfig",
    "ModelConfig",
    "OptimizerConfig",
    "PrepareConfig",
    "PretrainingConfig",
    "ReportConfig",
    "TaskConfig",
    "ZeroShotConfig",
    "changes",
    "check",
    "flat",
    "from_config_dict",
    "load",
    "require_key",
    "settings",
    "to_config_dict",
    "to_json",
]
