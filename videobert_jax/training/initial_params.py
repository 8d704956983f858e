"""Initial values of parameters that are not drawn at random: of another run, of a BERT, and of the visual words.

The rows of the visual words come from the centroids' features (VideoBERT section 3.3). Words that look alike so start
out alike: what is learnt of one holds for a rare or never seen one beside it.
"""

import pathlib
from collections.abc import Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging
from flax import traverse_util

from videobert_jax import config as config_lib
from videobert_jax import tokenizer
from videobert_jax.config import Config, ModelConfig
from videobert_jax.data.prepared import Lexicon
from videobert_jax.errors import ConfigError
from videobert_jax.interop.bert import OPTIONAL, load_bert, require_vocabulary
from videobert_jax.model.embeddings import TOKEN_TABLE
from videobert_jax.model.visual_input import CENTROIDS, CODEBOOKS, TABLES
from videobert_jax.tasks.task import Task
from videobert_jax.training.parameters import params_of
from videobert_jax.training.starting_point import is_workdir
from videobert_jax.training.state import TrainState
from videobert_jax.training.workdir import Workdir
from videobert_jax.visual_words.details import Details
from videobert_jax.visual_words.vocabulary import Vocabulary


class Rows(NamedTuple):
    """Values [N, ...] of a parameter's rows from `first` on."""

    path: str
    first: int
    values: np.ndarray


def load(config: Config, task: Task, lexicon: Lexicon) -> list[Rows]:
    """What `init_from` and `model.visual_rows` ask for; the latter are drawn to the scale of the former.

    A workdir gives all parameters that its network and the task's have in common, the visual words among them.

    Raises ConfigError if the checkpoint is of another model, or was trained with other words than the run's.
    """
    if is_workdir(config):
        return _load_workdir(Workdir(pathlib.Path(config.init_from)), task, lexicon)
    tokens, rows, deviation = task.network.tokens, [], config.model.init_std
    if config.init_from:
        folder = pathlib.Path(config.init_from)
        require_vocabulary(folder, tokenizer.load(lexicon.tokenizer))
        params = load_bert(folder, config.model, tokens)
        for part in OPTIONAL:
            if not any(path.startswith(part) for path in params):
                logging.warning("%s has no %s: it starts random", folder, part)
        rows += [Rows(path, 0, values) for path, values in params.items()]
        deviation = float(params[TOKEN_TABLE].std())
    visual = load_visual_rows(config.model, lexicon, config.seed, deviation)
    if visual is not None:
        rows.append(Rows(TOKEN_TABLE, tokens.text_size, visual))
    if tables := TABLES[config.model.visual_input]:
        details = Details.load(lexicon.details)
        codebooks = details.codebooks.reshape(-1, details.codebooks.shape[-1])
        rows += [Rows(path, 0, {CENTROIDS: details.centroids, CODEBOOKS: codebooks}[path]) for path in tables]
    return rows


def _load_workdir(source: Workdir, task: Task, lexicon: Lexicon) -> list[Rows]:
    for theirs, ours in source.counterparts(lexicon):
        if not (theirs.exists() and source.matches(theirs, ours)):
            raise ConfigError(
                f"{theirs} is not the same as {ours}: the run that config.init_from names has other words or visual "
                "words. Prepare again with it, by launch/prepare.py or launch/main.py"
            )
    used = config_lib.load(source.config_file).checkpoint
    given = traverse_util.flatten_dict(params_of(source, used, jax.local_devices()[0]), sep="/")
    expected = traverse_util.flatten_dict(task.abstract_params(), sep="/")
    common = expected.keys() & given.keys()
    if missing := sorted({path.partition("/")[0] for path in expected.keys() - common}):
        logging.warning("%s has no %s: it starts random", source.folder, ", ".join(missing))
    for path in common:
        if given[path].shape != expected[path].shape:
            raise ConfigError(
                f"{path} has the shape {given[path].shape} in {source.folder}, expected {expected[path].shape}; set "
                "config.model to the sizes of that run"
            )
    return [Rows(path, 0, np.asarray(given[path])) for path in sorted(common)]


def put(state: TrainState, given: Iterable[Rows]) -> TrainState:
    """The state, on any mesh, with these rows, which every process has. A device gets no more than its own part."""
    params = traverse_util.flatten_dict(state.params, sep="/")
    for rows in given:
        params[rows.path] = _put(params[rows.path], rows)
    return TrainState(state.step, traverse_util.unflatten_dict(params, sep="/"), state.opt_state, state.rng)


def _put(before: jax.Array, rows: Rows) -> jax.Array:
    """Merged by one element-wise program: neither its arguments nor its result are ever gathered."""
    last = rows.first + len(rows.values)
    values = np.zeros(before.shape, before.dtype)
    values[rows.first : last] = rows.values
    given = jax.make_array_from_callback(before.shape, before.sharding, lambda index: values[index])
    merge = jax.jit(_merged, static_argnums=(2, 3), out_shardings=before.sharding, donate_argnums=0)
    return merge(before, given, rows.first, last)


def _merged(before: jax.Array, given: jax.Array, first: int, last: int) -> jax.Array:
    row = jnp.arange(before.shape[0]).reshape(-1, *(1,) * (before.ndim - 1))
    return jnp.where((row >= first) & (row < last), given, before)


def load_visual_rows(config: ModelConfig, lexicon: Lexicon, seed: int, deviation: float) -> np.ndarray | None:
    """Float32 [V, D] for the visual words of a lexicon; None if the config wants random ones.

    Centroids of projected features are preferred, if there are any: their directions are about as wide as each other.
    `deviation` is the standard deviation of the words' rows, which `visual_scale` is relative to.
    """
    if config.visual_rows == "random":
        return None
    kept = lexicon.details.exists()
    centroids = Details.load(lexicon.details).centroids if kept else Vocabulary.load(lexicon.tree).centroids
    return project(centroids, config.hidden_size, config.visual_scale * deviation, seed)


def project(centroids: np.ndarray, size: int, deviation: float, seed: int) -> np.ndarray:
    """Float32 [V, P] to [V, size] by a random map that keeps distances: a rotation if size >= P, else nearly.

    A plain Gaussian map would all but lose some directions where P is about `size`: its least singular value is near 0.
    The values have the standard deviation that is asked for.
    """
    gaussian = np.random.default_rng(seed).standard_normal((max(centroids.shape[1], size),) * 2)
    rotation = np.linalg.qr(gaussian).Q[: centroids.shape[1], :size]
    rows = (centroids - centroids.mean(axis=0)) @ rotation
    return (rows * (deviation / max(float(rows.std()), 1e-12))).astype(np.float32)
