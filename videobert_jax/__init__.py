"""VideoBERT in JAX: a joint transformer over video and language, from raw files to answers."""

import pathlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from videobert_jax.inference.model import Model

__all__ = ["load"]


def load(folder: str | pathlib.Path, part: str = "") -> "Model":
    """The model of a run, such as "runs/demo", or one part of a mixture; see `videobert_jax.inference.model.load`."""
    from videobert_jax.inference import model  # only now: importing the package costs nothing

    return model.load(folder, part)
