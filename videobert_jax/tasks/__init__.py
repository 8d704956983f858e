"""The tasks: each is a file that names its parts."""

import pkgutil

from videobert_jax.config import Config
from videobert_jax.data.prepared import Prepared
from videobert_jax.tasks.task import Task
from videobert_jax.tokens import TokenSpace


def complete(config: Config, prepared: Prepared) -> Config:
    """The config with the values that follow from the data, such as the names of classes; see `TaskConfig.complete`.

    Raises ConfigError if nothing can follow from these data.
    """
    return pkgutil.resolve_name(config.task.complete)(config, prepared) if config.task.complete else config


def make_task(config: Config, tokens: TokenSpace) -> Task:
    """The task of a complete config, over a joint vocabulary."""
    return pkgutil.resolve_name(config.task.make)(config, tokens)
