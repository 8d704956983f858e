"""The tasks: each is a file that names its parts."""

import pkgutil

from videobert_jax.config import Config
from videobert_jax.tasks.task import Task
from videobert_jax.tokens import TokenSpace


def make_task(config: Config, tokens: TokenSpace) -> Task:
    """The task of a config, over a joint vocabulary."""
    return pkgutil.resolve_name(config.task.make)(config, tokens)
