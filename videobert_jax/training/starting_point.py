"""The run that a run starts from: `config.init_from` names its workdir.

It gives the parameters, and what its ids mean: its tokenizer and its visual words, which new videos are prepared with.
So both runs have to see videos alike. No JAX here: what does not fit is found before anything takes time.
"""

import pathlib

from videobert_jax import config as config_lib
from videobert_jax.config import Config
from videobert_jax.errors import ConfigError
from videobert_jax.training.workdir import Workdir

# What the meaning of a visual word depends on, and the shapes of the parameters.
CLIPS = ("fps", "clip_frames", "clip_step", "crop", "backbone", "image_size")
DETAILS = ("feature_size", "codebooks", "codebook_size", "quantisation")
SHAPES = ("num_layers", "hidden_size", "num_heads", "mlp_size", "max_positions")
LAYERS = ("visual_input", "fusion", "norm", "positions", "activation", "gated", "use_bias")


def find(config: Config, workdir: Workdir | None = None) -> Workdir | None:
    """The workdir with the words and visual words of a run; None if the run has its own.

    A run that has begun has copies of them in its own `workdir`, and needs the other one no more.

    Raises ConfigError, naming each value that differs, if the run cannot start from what `config.init_from` names.
    """
    if not is_workdir(config):
        if config.init_from and Workdir(pathlib.Path(config.init_from)).tokens_file.exists():
            raise ConfigError(
                f"config.prepare.tokenizer is {config.prepare.tokenizer!r}, expected '': config.init_from is the "
                "workdir of a run, whose words are used; leave out --config.prepare.tokenizer"
            )
        return None
    if workdir is not None and workdir.has_begun():
        return workdir
    source = Workdir(pathlib.Path(config.init_from))
    if not (source.has_begun() and source.tokens_file.exists() and source.config_file.exists()):
        raise ConfigError(
            f"config.init_from is {config.init_from!r}, expected the workdir of a run with a checkpoint, or with "
            "--config.prepare.tokenizer the folder of a Hugging Face BERT"
        )
    _require_alike(config, source)
    return source


def is_workdir(config: Config) -> bool:
    """Whether `config.init_from` names a workdir; for a BERT, `config.prepare.tokenizer` names its words."""
    return bool(config.init_from) and not config.prepare.tokenizer


def _require_alike(config: Config, source: Workdir) -> None:
    theirs, ours = config_lib.flat(config_lib.load(source.config_file)), config_lib.flat(config)
    keys = [*(f"prepare.{name}" for name in CLIPS + DETAILS), *(f"model.{name}" for name in SHAPES + LAYERS)]
    wrong = [f"{key} is {ours[key]!r}, there {theirs[key]!r}" for key in keys if ours[key] != theirs[key]]
    if wrong:
        raise ConfigError(
            f"a run cannot start from {source.folder}, whose config differs: {'; '.join(wrong)}. Set these values to "
            "those of that run, or start from another with --config.init_from"
        )
