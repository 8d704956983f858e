"""The same rounds with Apache Beam; runs in the environment of `requirements-beam.txt`, the usual one has no Beam."""

import functools
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
import tiny_corpus

from videobert_jax.errors import PrepareError, RoundsError
from videobert_jax.prepare.pipeline import prepare
from videobert_jax.prepare.rounds import Round
from videobert_jax.workers import WorkerDiedError

pytestmark = [pytest.mark.needs("apache_beam"), pytest.mark.slow]

ROOT = pathlib.Path(__file__).parent.parent.parent
FOUND: list[Mapping[int, object]] = []


def run_with_beam(*args: Any, **options: Any) -> None:
    from videobert_jax.prepare import beam  # not where this file is read without Beam

    beam.run_with_beam(*args, **options)


def numbers() -> list[int]:
    return list(range(6))


def nothing() -> list[int]:
    return []


def square_or_die(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def fill_the_disk(number: int) -> int:
    raise OSError(28, "No space left on device")


def note(results: Mapping[int, object]) -> None:
    FOUND.append(results)


def test_rounds_follow_one_another_and_a_dead_worker_costs_its_item() -> None:
    FOUND.clear()
    rounds = [Round(name, "number", items, square_or_die, note) for name, items in (("a", numbers), ("b", nothing))]
    run_with_beam(rounds, [], workers=2)
    first, second = FOUND
    assert isinstance(first[3], WorkerDiedError)
    assert {number: result for number, result in first.items() if number != 3} == {i: i * i for i in (0, 1, 2, 4, 5)}
    assert second == {}


def test_an_error_is_told_in_a_line() -> None:
    with pytest.raises(RoundsError, match=r"pipeline stopped: .*OSError: .* No space left on device"):
        run_with_beam([Round("a", "number", numbers, fill_the_disk, note)], [], workers=2)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Three good videos, and one file that is not a video."""
    folder = tmp_path_factory.mktemp("corpus")
    tiny_corpus.write_corpus(folder, videos=3, seconds=6.0)
    (folder / "words.mp4").write_text("no video")
    return folder


@pytest.fixture(scope="module")
def contents(corpus: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    """The folder prepared by processes on this machine."""
    return tiny_corpus.contents(
        prepare(tiny_corpus.config(corpus, tmp_path_factory.mktemp("c"), videos_per_shard=1)).folder
    )


def test_beam_prepares_the_same_bytes(
    corpus: pathlib.Path, contents: Mapping[str, bytes], tmp_path: pathlib.Path
) -> None:
    config = tiny_corpus.config(corpus, tmp_path / "cache", videos_per_shard=1)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(PrepareError, match=r"the disk of the cache .* is full"):
        patch.setattr("videobert_jax.prepare.stages.fit_videos", lambda *_, **__: fill_the_disk(0))
        prepare(config, functools.partial(run_with_beam, options=[], workers=2))
    prepared = prepare(config, functools.partial(run_with_beam, options=[], workers=2)).folder
    assert tiny_corpus.contents(prepared) == contents


def test_a_portable_runner_prepares_the_same_bytes(
    corpus: pathlib.Path, contents: Mapping[str, bytes], tmp_path: pathlib.Path
) -> None:
    """As with Flink and Spark, a job server receives the pipeline over a socket, and other processes run it."""
    server = [sys.executable, "-m", "apache_beam.runners.portability.local_job_service_main"]
    with subprocess.Popen([*server, "--port_file", tmp_path / "port"], cwd=ROOT) as process:
        try:
            while process.poll() is None and not (tmp_path / "port").exists():
                signal.sigtimedwait([], 0.05)
            port = (tmp_path / "port").read_text()
            options = ["--runner=PortableRunner", f"--job_endpoint=localhost:{port}", "--environment_type=LOOPBACK"]
            config = tiny_corpus.config(corpus, tmp_path / "cache", videos_per_shard=1)
            prepared = prepare(config, functools.partial(run_with_beam, options=options, workers=2)).folder
        finally:
            process.terminate()
    assert tiny_corpus.contents(prepared) == contents
