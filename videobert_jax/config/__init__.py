"""The config of a run: frozen dataclasses internally, ConfigDict or JSON at the boundary.

`tree.py` defines the whole; `prepare.py`, `tasks.py` and `evaluators.py` define some sections. Each field declares the
rule for its values (`rules.py`). `reading.py` parses a `Config`, and `checking.py` validates it, without JAX.
"""

from videobert_jax.config.checking import check, check_evaluators
from videobert_jax.config.evaluators import (
    EVALUATORS,
    AnsweringScoresConfig,
    ClassificationScoresConfig,
    EvaluatorConfig,
    EventScoresConfig,
    HeldOutConfig,
    MomentScoresConfig,
    RecommendationScoresConfig,
    RetrievalScoresConfig,
    UseOfVideoConfig,
    ZeroShotConfig,
    evaluator_of,
)
from videobert_jax.config.fine_tuning import classifier, fine_tuned
from videobert_jax.config.prepare import KitchenConfig, PrepareConfig
from videobert_jax.config.reading import from_config_dict, load, require_key, to_config_dict, to_json
from videobert_jax.config.rules import Change, changes, flat, settings
from videobert_jax.config.tasks import (
    TASKS,
    AnsweringConfig,
    ClassificationConfig,
    LabelledConfig,
    LossWeights,
    MixtureConfig,
    PartConfig,
    PretrainingConfig,
    RecommendationConfig,
    RetrievalConfig,
    TaskConfig,
)
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
    "AnsweringConfig",
    "AnsweringScoresConfig",
    "Change",
    "CheckpointConfig",
    "ClassificationConfig",
    "ClassificationScoresConfig",
    "Config",
    "DataConfig",
    "EvaluatorConfig",
    "EventScoresConfig",
    "HeldOutConfig",
    "KitchenConfig",
    "LabelledConfig",
    "LossWeights",
    "MeshConfig",
    "MixtureConfig",
    "ModelConfig",
    "MomentScoresConfig",
    "OptimizerConfig",
    "PartConfig",
    "PrepareConfig",
    "PretrainingConfig",
    "RecommendationConfig",
    "RecommendationScoresConfig",
    "ReportConfig",
    "RetrievalConfig",
    "RetrievalScoresConfig",
    "TaskConfig",
    "UseOfVideoConfig",
    "ZeroShotConfig",
    "changes",
    "check",
    "check_evaluators",
    "classifier",
    "evaluator_of",
    "fine_tuned",
    "flat",
    "from_config_dict",
    "load",
    "require_key",
    "settings",
    "to_config_dict",
    "to_json",
]
