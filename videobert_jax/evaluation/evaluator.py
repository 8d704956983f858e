"""The evaluators that a config asks for."""

from videobert_jax.config import Config, HeldOutConfig
from videobert_jax.data.prepared import Prepared
from videobert_jax.evaluation import held_out
from videobert_jax.tasks.task import Task
from videobert_jax.training.evaluators import Evaluator, Evaluators


def for_training(config: Config, task: Task, prepared: Prepared) -> Evaluators:
    """Those that run while a model is trained."""
    section = config.evaluators["held_out"]
    assert isinstance(section, HeldOutConfig)
    build = held_out.evaluator(config, task, prepared, section.batches)
    return {"held_out": Evaluator(section.every, build)}
