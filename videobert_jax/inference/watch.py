"""placeholder until merged"""

import pathlib
from typing import Any

from videobert_jax.data.segments import Segment


def watch(
    video: pathlib.Path, transcript: pathlib.Path | None, config: Any, vocabulary: Any, words: Any
) -> list[Segment]:
    """placeholder until merged"""
    raise NotImplementedError
