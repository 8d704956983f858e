"""The part of each frame that is seen: `prepare.crop`, the same for all videos or listed in a file."""

import functools
import json
import pathlib
from typing import Any

from videobert_jax.errors import ConfigError

Region = tuple[float, float, float, float]  # left, top, right and bottom, as fractions of the upright picture's sides
WHOLE: Region = (0.0, 0.0, 1.0, 1.0)
LEAST = 0.02  # of a side: the whole frame is scaled so that this part has the size that is asked for
EXPECTED = '"left,top,right,bottom" as fractions of the frame, such as "0.25,0.5,0.75,1", at least 0.02 apart'


def file_of(crop: str) -> pathlib.Path | None:
    """The file that `prepare.crop` names; None if it is a region itself, or empty."""
    return None if not crop or (crop[0] in "0123456789." and "," in crop) else pathlib.Path(crop)


def region_of(crop: str, video_id: str) -> Region:
    """The region of a video's frames; all of them if a file does not list the video. Raises ConfigError."""
    if not crop:
        return WHOLE
    path = file_of(crop)
    return _region(crop, "config.prepare.crop") if path is None else _listed(path).get(video_id, WHOLE)


@functools.cache
def _listed(path: pathlib.Path) -> dict[str, Region]:
    try:
        listed = json.loads(path.read_text())
        return {str(video_id): _region(text, f"{path}: {video_id}") for video_id, text in listed.items()}
    except ConfigError:
        raise
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"config.prepare.crop is {str(path)!r}, expected {EXPECTED}, or a JSON file of such texts by video id: "
            f"{error}"
        ) from error


def _region(text: Any, name: str) -> Region:
    try:
        left, top, right, bottom = map(float, text.split(","))
        if left >= 0 and left + LEAST <= right <= 1 and top >= 0 and top + LEAST <= bottom <= 1:
            return left, top, right, bottom
    except (AttributeError, ValueError):
        pass
    raise ConfigError(f"{name} is {text!r}, expected {EXPECTED}")
