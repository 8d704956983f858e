"""The accounting of time over all starts of a run."""

import json
import pathlib
import subprocess
import sys
import time

import pytest

from videobert_jax.training.reporting import goodput
from videobert_jax.training.reporting.goodput import Attempt, Clock, Goodput


class Time:
    """A clock that advances on request."""

    now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock_time(monkeypatch: pytest.MonkeyPatch) -> Time:
    fake = Time()
    monkeypatch.setattr(goodput.time, "perf_counter", fake.perf_counter)
    return fake


def seconds(**of: float) -> dict[str, float]:
    return dict.fromkeys(goodput.PHASES, 0.0) | of


def test_every_second_belongs_to_one_phase(clock_time: Time) -> None:
    clock = Clock(before=3.0)
    clock_time.now += 1
    with pytest.raises(KeyError), clock.on("step"):
        clock_time.now += 10
        with clock.on("input"):
            clock_time.now += 0.5
            assert clock.read() == seconds(restart=4, step=10, input=0.5)
        clock_time.now += 20
        raise KeyError
    clock_time.now += 7
    assert clock.read() == seconds(restart=11, step=30, input=0.5)


def test_input_hidden_behind_the_devices_is_not_counted(clock_time: Time) -> None:
    clock = Clock()
    with clock.on("step"):
        for hidden in (True, False, True):
            with clock.on("input", hidden=lambda hidden=hidden: hidden):
                clock_time.now += 2
            clock_time.now += 10
    assert clock.read() == seconds(step=34, input=2)


def test_repeated_steps_count_as_lost() -> None:
    attempts = [
        Attempt(0, 8, seconds(step=80, compile=20)),  # killed; the newest checkpoint is of step 6
        Attempt(6, 6, seconds(restart=40)),  # killed before its first step
        Attempt(6, 10, seconds(step=40, input=10, restart=10)),
    ]
    expected = {"step": 0.5, "lost": 0.1, "compile": 0.1, "restart": 0.25, "input": 0.05}
    assert goodput.shares(attempts) == pytest.approx(seconds() | expected)
    assert goodput.shares([]) == seconds() | {"lost": 0.0}


def test_a_start_that_goes_further_back_than_the_one_before_it_loses_all_of_that() -> None:
    """As after a damaged checkpoint."""
    attempts = [Attempt(4, 8, seconds(step=40)), Attempt(0, 8, seconds(step=80))]
    assert goodput.shares(attempts)["lost"] == pytest.approx(40 / 120)


def test_a_run_reports_all_its_attempts(tmp_path: pathlib.Path, clock_time: Time) -> None:
    for first, last in ((0, 4), (4, 10)):
        clock = Clock(before=2.0)
        run = Goodput(tmp_path / "goodput.json", first, clock)
        with clock.on("step"):
            clock_time.now += 9.0 * (last - first)
            share = run.at(last)
    assert share == 90 / 94
    assert goodput.read(tmp_path / "goodput.json") == [
        Attempt(0, 4, seconds(step=36, restart=2)),
        Attempt(4, 10, seconds(step=54, restart=2)),
    ]
    assert str(run) == "goodput 95.7% of 94 s in 2 starts; start-up 4.3%"


def attempt(**of: object) -> str:
    return json.dumps([{"first": 0, "last": 4, "seconds": seconds(step=36)} | of])


DAMAGED = [
    *("", "nonsense", "\0\0", "{}", "null", "[1]", "[[]]", '[{"first": 0}]', "[" * 100_000),
    *(attempt(seconds=value) for value in (None, {}, [], 1, {"restart": 1.0}, seconds(step="a"), seconds(step=None))),
    *(attempt(seconds=seconds(step=value)) for value in (float("nan"), float("inf"), -1.0, True, 10**400)),
    *(attempt(first=value) for value in ("a", None, 1.5, True, -1, 5)),
    *(attempt(last=value) for value in ("a", None, 10**400)),
    attempt(more=1),
]


@pytest.mark.parametrize("text", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_file_is_replaced(tmp_path: pathlib.Path, caplog, text: str) -> None:
    (tmp_path / "goodput.json").write_text(text)
    run = Goodput(tmp_path / "goodput.json", 4, Clock())
    run.at(5)
    run.at(6)
    assert "in 1 start;" in str(run)
    assert (tmp_path / "goodput.json.damaged").read_text() == text
    assert [(attempt.first, attempt.last) for attempt in goodput.read(tmp_path / "goodput.json")] == [(4, 6)]
    (warning,) = caplog.messages
    assert f"{tmp_path / 'goodput.json'} is damaged" in warning
    assert "is renamed to goodput.json.damaged" in warning


def test_a_missing_file_has_no_attempts(tmp_path: pathlib.Path, caplog) -> None:
    assert goodput.read(tmp_path / "goodput.json") == []
    assert not caplog.messages


@pytest.mark.skipif(not pathlib.Path("/proc/self/stat").exists(), reason="only Linux tells when a process began")
def test_the_age_of_a_process_is_from_its_start() -> None:
    began = time.monotonic()
    script = (
        "import time; time.sleep(0.3); "
        "from videobert_jax.training.reporting import goodput; print(goodput.process_age())"
    )
    age = float(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout)
    assert 0.3 <= age <= time.monotonic() - began + 0.01  # /proc counts ticks of 10 ms
