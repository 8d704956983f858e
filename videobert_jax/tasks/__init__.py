"""The tasks, by name: each is a file that names its parts."""

from collections.abc import Callable, Mapping

from videobert_jax.config import Config
from videobert_jax.tasks import pretraining
from videobert_jax.tasks.task import Task
from videobert_jax.tokens import TokenSpace

TASKS: Mapping[str, Callable[[Config, TokenSpace], Task]] = {"pretraining": pretraining.make}


def make_task(config: Config, tokens: TokenSpace) -> Task:
    """The task that `config.task` names, over a joint vocabulary."""
    return TASKS[config.task.name](config, tokens)
