"""Hundreds of damaged files in one folder, and damaged files of many transcripts or annotations, through prepare.

The damage is random but the same every time: bits and bytes changed, pieces cut out, put in, or taken from another
file. MUTANTS=1000 runs this with more of them, as `make test-all` does; 25,000 videos have been tried by hand.
"""

import dataclasses
import json
import os
import pathlib
import random
import re
import subprocess
import sys
from collections.abc import Callable, Mapping

import pytest
import tiny_corpus
from films import RATE, encode, gray, numbered

from videobert_jax import config as config_lib
from videobert_jax.config import Config
from videobert_jax.data.records import RecordSource
from videobert_jax.errors import PrepareError
from videobert_jax.prepare.pipeline import prepare

ROOT = pathlib.Path(__file__).parent.parent.parent
MUTANTS = int(os.environ.get("MUTANTS", "50"))  # of videos, and as many of transcripts
SHARED_MUTANTS = 8  # of each kind of file that is for many videos, by each mutation: each takes a run
EVERY = 1 if MUTANTS >= 1000 else 8  # of these that is tried
SECONDS = 2
START = 120  # seconds in which a run with next to no input ends, on a slow machine
EACH = 0.5  # seconds for each input; one that takes long is paid for by the others

CUES = [(0.1, 0.9, "Now we cut the apple."), (1.0, 1.8, "Then we stir it well.")]
ROLLING = "\n".join(
    [
        "WEBVTT\nKind: captions\n",
        "00:00:00.100 --> 00:00:00.900 align:start\n \nnow<00:00:00.300><c> we</c><00:00:00.400><c> cut</c>\n",
        "00:00:00.900 --> 00:00:00.910 align:start\nnow we cut\n \n",
        "00:00:00.910 --> 00:00:01.800 align:start\nnow we cut\nthe<00:00:01.200><c> apple</c>\n",
    ]
)
SEGMENTS = [{"utf8": "now"}, {"utf8": " we cut", "tOffsetMs": 200}]
JSON3 = {"events": [{"tStartMs": 100, "dDurationMs": 800, "segs": SEGMENTS}]}
TEXTS = {
    "srt": "1\n00:00:00,100 --> 00:00:00,900\nNow cut it.\n\n2\n00:00:01,000 --> 00:00:01,800\nThen stir it.\n",
    "json3": json.dumps(JSON3),
    "csv": "start,end,text\n0.1,0.9,now we cut the apple\n1.0,1.8,then we stir it well\n",
}
CAPTIONS = {f"good{n}": {"text": ["cut it", "stir it"], "start": [0.1, 1.0], "end": [0.9, 1.8]} for n in range(3)}
TV = [{"vid_name": f"good{n}", "sub": [{"text": "cut it", "start": 0.1, "end": 0.9}]} for n in range(3)]
YOUCOOK = {
    f"good{n}": {"subset": "training", "annotations": [{"segment": [0, 1], "sentence": "cut"}]} for n in range(3)
}
MSRVTT = {
    "videos": [{"video_id": f"good{n}", "split": "train"} for n in range(3)],
    "sentences": [{"video_id": "good0", "caption": "cut it"}],
}
ACTIVITYNET = {f"good{n}": {"duration": 2.0, "timestamps": [[0, 1]], "sentences": ["cut it"]} for n in range(3)}
SHARED: Mapping[str, tuple[str, str]] = {  # option, content
    "howto100m.json": ("transcripts", json.dumps(CAPTIONS)),
    "tv.jsonl": ("transcripts", "\n".join(map(json.dumps, TV))),
    "youcook2.json": ("annotations", json.dumps({"database": YOUCOOK})),
    "msrvtt.json": ("annotations", json.dumps(MSRVTT)),
    "train.json": ("annotations", json.dumps(ACTIVITYNET)),
    "kinetics.csv": ("annotations", "label,youtube_id,time_start,time_end,split\ncutting,good0,0,2,train\n"),
}

Mutation = Callable[[bytearray, bytes, random.Random], None]


def flip_bits(data: bytearray, other: bytes, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 20)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def spoil_start(data: bytearray, other: bytes, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 8)):
        data[rng.randrange(min(len(data), 512))] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])


def spoil_end(data: bytearray, other: bytes, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 8)):
        data[-1 - rng.randrange(min(len(data), 2048))] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])


def set_number(data: bytearray, other: bytes, rng: random.Random) -> None:
    place = rng.randrange(len(data))
    data[place : place + 4] = rng.choice([0, 1, 1 << 16, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 1]).to_bytes(
        4, "big"
    )


def truncate(data: bytearray, other: bytes, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def cut_out(data: bytearray, other: bytes, rng: random.Random) -> None:
    place = rng.randrange(len(data))
    del data[place : place + rng.randint(1, max(2, len(data) // 10))]


def put_in(data: bytearray, other: bytes, rng: random.Random) -> None:
    place = rng.randrange(len(data))
    data[place:place] = rng.randbytes(rng.randint(1, 200))


def splice(data: bytearray, other: bytes, rng: random.Random) -> None:
    data[rng.randrange(len(data)) :] = other[rng.randrange(len(other)) :]


MUTATIONS: tuple[Mutation, ...] = (flip_bits, spoil_start, spoil_end, set_number, truncate, cut_out, put_in, splice)


def mutants(contents: Mapping[str, bytes], count: int) -> list[tuple[str, bytes]]:
    """Yields (name of the original, damaged content), with each original and each mutation equally often."""
    names = sorted(contents)
    found = []
    for number in range(count):
        rng = random.Random(number)
        name, other = names[number % len(names)], contents[rng.choice(names)]
        data = bytearray(contents[name])
        MUTATIONS[number // len(names) % len(MUTATIONS)](data, other, rng)
        found.append((name, bytes(data)))
    return found


def videos(folder: pathlib.Path) -> dict[str, bytes]:
    pictures = [numbered(i) for i in range(SECONDS * RATE)]
    quick = {"preset": "ultrafast"}
    paths = [
        encode(folder / "index_last.mp4", pictures, clock=RATE, options=quick),
        encode(folder / "index_first.mp4", pictures, clock=RATE, muxing={"movflags": "faststart"}),
        encode(folder / "turned.mov", pictures, clock=RATE, rotation=90),
        encode(folder / "h264.mkv", pictures, clock=RATE),
        encode(folder / "vp9.webm", pictures, clock=RATE, codec="libvpx-vp9"),
        encode(folder / "av1.mp4", pictures, clock=RATE, codec="libsvtav1"),
        encode(folder / "mpeg4.avi", pictures, clock=RATE, codec="mpeg4"),
        encode(folder / "broadcast.ts", pictures, clock=RATE),
        encode(folder / "flash.flv", pictures, clock=RATE),
        encode(folder / "jpeg.mkv", pictures, clock=RATE, codec="mjpeg", pixels="yuvj420p"),
    ]
    return {path.name: path.read_bytes() for path in paths}


def fill(folder: pathlib.Path, originals: pathlib.Path) -> None:
    """Three good videos with transcripts, mutated videos with good ones, and mutated transcripts of good videos."""
    folder.mkdir()
    originals.mkdir()
    good = encode(originals / "good.mp4", [gray(i) for i in range(SECONDS * RATE)], clock=RATE).read_bytes()
    tiny_corpus.write_vtt(originals / "vtt", CUES)
    transcript = (originals / "vtt").read_bytes()
    for number in range(3):
        tiny_corpus.write_video(folder / f"good{number}.mp4", SECONDS, seed=number)
        (folder / f"good{number}.vtt").write_bytes(transcript)
    for number, (name, data) in enumerate(mutants(videos(originals), MUTANTS)):
        path = folder / f"video{number:04d}_{name}"
        path.write_bytes(data)
        path.with_suffix(".vtt").write_bytes(transcript)
    texts = {"vtt": transcript, "rolling.vtt": ROLLING.encode()} | {name: text.encode() for name, text in TEXTS.items()}
    for number, (name, data) in enumerate(mutants(texts, MUTANTS)):
        (folder / f"text{number:04d}.mp4").write_bytes(good)
        (folder / f"text{number:04d}.{name.removeprefix('rolling.')}").write_bytes(data)


def prepared(config: Config, folder: pathlib.Path, inputs: int) -> pathlib.Path:
    """The folder prepared by two workers, in processes that are stopped if they hang."""
    (folder / "config.json").write_text(config_lib.to_json(config))
    program = (
        "import pathlib, sys\n"
        "from videobert_jax import config\n"
        "from videobert_jax.prepare.pipeline import prepare\n"
        "if __name__ == '__main__': prepare(config.load(pathlib.Path(sys.argv[1])))\n"
    )
    (folder / "program.py").write_text(program)
    command = [sys.executable, folder / "program.py", folder / "config.json"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=START + EACH * inputs, capture_output=True)
    newest = max((folder / "cache").glob("prepared-*/manifest.json"), key=lambda path: path.stat().st_mtime_ns)
    return newest.parent


@pytest.mark.slow
def test_mutants_harm_nobody(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "videos"
    fill(folder, tmp_path / "originals")
    config = tiny_corpus.config(folder, tmp_path / "cache", workers=2)
    everything = prepared(config, tmp_path, 2 * MUTANTS)
    report = json.loads((everything / "report.json").read_text())
    refused = {(problem["item"], problem["stage"]): problem["reason"] for problem in report["quarantined"]}
    assert not [item for item, _ in refused if item.startswith("good")]
    assert {stage for _, stage in refused} == {"features", "transcripts", "alignment"}
    unexplained = re.compile(r"^\w+(Error|Exception|Warning)\b|died|Traceback|^$")
    assert not {item: reason for item, reason in refused.items() if unexplained.search(reason)}
    unread = {item for item, stage in refused if stage == "features"}
    assert MUTANTS // 10 < len(unread) < MUTANTS  # neither is all damage fatal, nor all of it harmless
    assert all(item.startswith("video") for item in unread)
    assert report["counts"]["usable videos"] == report["counts"]["videos"] - len(unread)

    for item in unread:
        (folder / item).unlink()
        (folder / item).with_suffix(".vtt").unlink()
    rest = prepared(config, tmp_path, 2 * MUTANTS)
    assert rest != everything
    for part in ("records", "vocabulary", "tokenizer"):
        assert tiny_corpus.contents(rest / part) == tiny_corpus.contents(everything / part)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHARED)
def test_a_mutated_file_for_all_videos_is_read_or_refused(tmp_path: pathlib.Path, name: str) -> None:
    option, content = SHARED[name]
    folder = tmp_path / "videos"
    for number in range(3):
        tiny_corpus.write_video(folder / f"good{number}.mp4", SECONDS, seed=number)
    damaged = [data for _, data in mutants({name: content.encode()}, SHARED_MUTANTS)]
    damaged = damaged[list(SHARED).index(name) % EVERY :: EVERY]
    for number, data in enumerate([content.encode(), *damaged]):
        (tmp_path / name).write_bytes(data)
        config = tiny_corpus.config(folder, tmp_path / "cache")
        data_config = dataclasses.replace(config.data, **{option: str(tmp_path / name)})
        try:
            found = prepare(dataclasses.replace(config, data=data_config)).folder
        except PrepareError as error:
            assert number > 0
            assert name in str(error)
        else:
            assert len(RecordSource(found / "records", "train")) >= 1
