"""The stored features of a video, one file per video."""

import dataclasses
import pathlib

import numpy as np

from videobert_jax.files import reading, whole


@dataclasses.dataclass(frozen=True)
class ClipFeatures:
    """The features, float16 [n, D], and thumbnails, n JPEG files of their middle frames, of a video's n clips."""

    features: np.ndarray
    thumbnails: list[bytes]

    def save(self, path: pathlib.Path) -> None:
        """Writes the file atomically."""
        with whole(path) as part, part.open("wb") as file:
            jpegs = np.frombuffer(b"".join(self.thumbnails), np.uint8)
            ends = np.cumsum([len(jpeg) for jpeg in self.thumbnails])
            np.savez(file, features=self.features, thumbnails=jpegs, thumbnail_ends=ends)

    @classmethod
    def load(cls, path: pathlib.Path) -> "ClipFeatures":
        """Reads a file in `features/` of a prepared folder. Raises DamagedError if it cannot be read."""
        with reading(path, path.parent.parent), np.load(path) as arrays:
            jpegs = np.split(arrays["thumbnails"], arrays["thumbnail_ends"][:-1])
            return cls(arrays["features"], [jpeg.tobytes() for jpeg in jpegs])
