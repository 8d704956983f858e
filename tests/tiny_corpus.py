"""Tiny videos and transcripts made on the fly, for the tests of this folder."""

import os
import pathlib
from collections.abc import Mapping, Sequence

import av
import numpy as np
import pytest

from videobert_jax.config import Config, DataConfig, PrepareConfig
from videobert_jax.prepare.rounds import Round

FPS = 10

Cue = tuple[float, float, str]


def write_video(path: pathlib.Path, seconds: float, seed: int, side: int = 64) -> None:
    """A square of a random colour that moves over a random background, and changes its colour every second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    background = rng.integers(0, 255, (side, side, 3), np.uint8)
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = side, side, "yuv420p"
        for number in range(round(seconds * FPS)):
            if number % FPS == 0:
                color = rng.integers(0, 255, 3)
            picture = background.copy()
            left = number * 3 % (side - 24)
            picture[20:44, left : left + 24] = color
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())


def write_sound(path: pathlib.Path) -> None:
    """An mp4 file without pictures."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_vtt(path: pathlib.Path, cues: Sequence[Cue]) -> None:
    """An uploaded transcript."""
    blocks = [f"{_clock(start)} --> {_clock(end)}\n{text}\n" for start, end, text in cues]
    path.write_text("\n".join(["WEBVTT\n", *blocks]), encoding="utf-8")


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 3600:02d}:{int(seconds) // 60 % 60:02d}:{seconds % 60:06.3f}"


def write_corpus(folder: pathlib.Path, videos: int = 4, seconds: float = 6.0) -> None:
    """Sound videos, `video0.mp4` and so on, each with a transcript of two sentences."""
    for index in range(videos):
        write_video(folder / f"video{index}.mp4", seconds, seed=index)
        cues = [(0.2, 2.8, f"Now we cut the apple number {index}."), (3.0, 5.6, "Then we stir it well.")]
        write_vtt(folder / f"video{index}.vtt", cues)


def config(videos: pathlib.Path, cache: pathlib.Path, **prepare: object) -> Config:
    """Settings under which a tiny corpus is prepared in a second or two."""
    settings = {"fps": 10.0, "clip_frames": 10, "image_size": 32, "branching": 2, "depth": 2, "chunk_tokens": 12}
    return Config(
        prepare=PrepareConfig(**{**settings, "workers": 1, **prepare}),
        data=DataConfig(videos=str(videos), cache=str(cache)),
    )


def here(rounds: Sequence[Round]) -> None:
    """Runs rounds in this process: no time to start others, and what is patched is patched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLA_FLAGS", os.environ.get("XLA_FLAGS", ""))  # `extract` sets it for its worker, here this one
        for current in rounds:
            current.finish({item: current.work(item) for item in current.items()})


def contents(directory: pathlib.Path) -> Mapping[str, bytes]:
    """Every file below `directory`, by its relative name."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
