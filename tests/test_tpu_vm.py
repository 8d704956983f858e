"""launch/tpu_vm.sh: its dry runs, and its behaviour with a fake gcloud and a fake program."""

import os
import pathlib
import shlex
import signal
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).parent.parent
SCRIPT = ROOT / "launch" / "tpu_vm.sh"
SLICE = ("--project=p", "--zone=us-west4-a", "--name=vb")
WHERE = ["--project=p", "--zone=us-west4-a"]
ALL = (*SLICE, "--type=v5litepod-16", "--mount=gs://b", "--spot")
RUN = ("--", "--config=configs/base.py:large", "--workdir=/mnt/shared/a b")
ON_HOSTS = "cd videobert_jax && bash launch/tpu_vm.sh "


def call(*arguments: str, cwd: pathlib.Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=60,
        env={**os.environ, **environment},
    )


def shown(*arguments: str) -> list[list[str]]:
    """The words of each command that a dry run prints."""
    result = call(*arguments[:1], "--dry_run", *arguments[1:])
    assert result.returncode == 0, result.stderr
    return [shlex.split(line) for line in result.stdout.splitlines()]


def ssh(worker: str, command: str) -> list[str]:
    words = ["gcloud", "compute", "tpus", "tpu-vm", "ssh", "vb", f"--worker={worker}", f"--command={command}"]
    return [*words, *WHERE]


CREATE = [
    *("gcloud", "compute", "tpus", "queued-resources", "create", "vb", "--node-id=vb"),
    *("--accelerator-type=v5litepod-16", "--runtime-version=v2-alpha-tpuv5-lite", "--spot", *WHERE),
]
DESCRIBE = ["gcloud", "compute", "tpus", "queued-resources", "describe", "vb", "--format=value(state.state)", *WHERE]
DELETE = ["gcloud", "compute", "tpus", "queued-resources", "delete", "vb", "--force", "--quiet", *WHERE]
START = ssh("all", ON_HOSTS + "host_start --config=configs/base.py:large --workdir=/mnt/shared/a\\ b ")


def test_create_asks_for_the_slice_and_waits() -> None:
    assert shown("create", *ALL) == [CREATE, DESCRIBE]
    assert "--spot" not in shown("create", *SLICE, "--type=v6e-16")[0]


@pytest.mark.parametrize(
    ("options", "version"),
    [
        (("--type=v6e-16",), "v2-alpha-tpuv6e"),
        (("--type=v5p-16",), "v2-alpha-tpuv5"),
        (("--type=v4-16",), "tpu-ubuntu2204-base"),
        (("--type=v9-16", "--runtime=mine"), "mine"),
    ],
)
def test_the_runtime_follows_the_type(options: tuple[str, ...], version: str) -> None:
    assert f"--runtime-version={version}" in shown("create", *SLICE, *options)[0]


def test_setup_copies_installs_and_mounts() -> None:
    archive, copy, unpack, install = shown("setup", *SLICE, "--mount=10.0.0.2:/share")
    assert archive[:3] == ["git", "-C", str(SCRIPT.parent / "..")] and archive[-1] == "HEAD"
    source = archive[-2].removeprefix("--output=")
    assert copy == ["gcloud", "compute", "tpus", "tpu-vm", "scp", source, "vb:source.tar.gz", "--worker=all", *WHERE]
    assert unpack == ssh("all", "mkdir -p videobert_jax && tar -xzf source.tar.gz -C videobert_jax")
    assert install == ssh("all", ON_HOSTS + "host_setup 10.0.0.2:/share ")


def test_the_other_commands_are_one_call_each() -> None:
    assert shown("run", *SLICE, *RUN) == [START]
    assert shown("logs", *SLICE) == [ssh("0", "tail -n 100 -F videobert_jax/run.log")]
    assert shown("status", *SLICE) == [DESCRIBE, ssh("all", ON_HOSTS + "host_state ")]
    assert shown("stop", *SLICE) == [ssh("all", 'kill -TERM -- "-$(cat videobert_jax/run.pid)"')]
    assert shown("delete", *SLICE) == [DELETE]


def test_resume_does_all_of_it() -> None:
    commands = shown("resume", *ALL, *RUN)
    setup = shown("setup", *ALL)
    assert commands == [DELETE, CREATE, DESCRIBE, *setup, START, ssh("0", ON_HOSTS + "host_state ")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "unknown command ''; expected create, setup, run"),
        (("launch", *SLICE), "unknown command 'launch'"),
        (("logs", *SLICE[1:]), "--project=... is missing"),
        (("logs", SLICE[0], SLICE[2]), "--zone=... is missing"),
        (("logs", *SLICE[:2]), "--name=... is missing"),
        (("logs", *SLICE, "--steps=3"), "unknown option '--steps=3'; arguments of launch/main.py come after --"),
        (("create", *SLICE), "--type=... is missing"),
        (("create", *SLICE, "--type=v9-16"), "no runtime version is known for --type=v9-16; give --runtime"),
        (("setup", *SLICE), "--mount= is neither gs://BUCKET nor HOST:/SHARE"),
        (("setup", *SLICE, "--mount=/disk"), "--mount=/disk is neither"),
        (("run", *SLICE), "nothing to run; give -- --config=..."),
        (("resume", *SLICE), "--type=... is missing"),
        (
            ("logs", *SLICE[:2], "--name=Vb"),
            "--name=Vb is not a valid name; expected lower-case letters",
        ),
        (("logs", *SLICE[:2], "--name=vb-"), "--name=vb- is not a valid name"),
        (("logs", *SLICE[:2], "--name=v/b"), "--name=v/b is not a valid name"),
        (("setup", *SLICE, "--mount=gs://"), "--mount=gs:// is neither gs://BUCKET nor"),
        (("setup", *SLICE, "--mount=gs:///b"), "--mount=gs:///b is neither"),
    ],
)
def test_what_is_missing_or_unknown_is_named(tmp_path: pathlib.Path, arguments: tuple[str, ...], message: str) -> None:
    program(tmp_path / "gcloud", f"touch {tmp_path}/asked")  # never calls the real one
    program(tmp_path / "git", "exit 0")
    result = call(*arguments, PATH=f"{tmp_path}{os.pathsep}/usr/bin:/bin")
    assert not (tmp_path / "asked").exists()
    assert result.returncode == 2 and result.stdout == ""
    assert f"tpu_vm.sh: {message}" in result.stderr


def program(path: pathlib.Path, lines: str) -> str:
    path.write_text(f"#!/bin/bash\n{lines}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*SLICE, "--type=v6e-16", *RUN), "--mount= is neither gs://BUCKET nor HOST:/SHARE"),
        ((*SLICE, "--type=v6e-16", "--mount=gs://b"), "nothing to run; give -- --config=..."),
        ((*SLICE, "--type=v9-16", "--mount=gs://b", *RUN), "no runtime version is known for --type=v9-16"),
    ],
)
def test_resume_checks_all_options_before_it_rents(
    tmp_path: pathlib.Path, arguments: tuple[str, ...], message: str
) -> None:
    program(tmp_path / "gcloud", f"touch {tmp_path}/asked; echo ACTIVE")
    program(tmp_path / "git", "exit 0")
    program(tmp_path / "sleep", 'kill -KILL "$PPID"')  # ends a retry loop
    result = call("resume", *arguments, PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert not (tmp_path / "asked").exists()
    assert result.returncode == 2 and f"tpu_vm.sh: {message}" in result.stderr


def test_a_dry_resume_ends_with_the_step_that_fails(tmp_path: pathlib.Path) -> None:
    program(tmp_path / "sleep", 'kill -KILL "$PPID"')
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    with pathlib.Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [str(SCRIPT), "resume", "--dry_run", *ALL, *RUN],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            timeout=60,
        )
    assert result.returncode == 1 and "tpu_vm.sh: delete failed" in result.stderr


def wait_for(path: pathlib.Path) -> None:
    deadline = time.monotonic() + 30
    while not (path.exists() and (path.name != "run.code" or path.read_text())):
        assert time.monotonic() < deadline, f"no {path}"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("codes", "starts"),
    [
        ([75, 143, 70, 137, 0], 5),  # asked to stop, and restarted each time
        ([1, 0], 2),  # another host was lost
        ([1, 1, 1, 0], 3),  # a permanent error
        ([1, 1, 75, 1, 1, 0], 6),
        ([70, 137, 134, 0], 3),  # any repeated failure
        ([70, 1, 143, 137, 1, 0], 6),
        ([2, 0], 1),  # the command line is wrong
        ([126, 0], 1),
        ([127, 0], 1),  # there is no such program
    ],
)
def test_a_host_restarts_the_program_by_its_exit_code(tmp_path: pathlib.Path, codes: list[int], starts: int) -> None:
    host_runs(tmp_path, codes, starts)


def test_a_long_run_resets_the_count_of_failures(tmp_path: pathlib.Path) -> None:
    host_runs(tmp_path, [1, 70, 1, 1, 1, 0], 6, LASTING_SECONDS="0")


def host_runs(tmp_path: pathlib.Path, codes: list[int], starts: int, **environment: str) -> None:
    (tmp_path / "codes").write_text("".join(f"{code}\n" for code in codes))
    fake = 'echo "$*" >>started; code=$(head -n 1 codes); sed -i 1d codes; exit "$code"'
    python = program(tmp_path / "python", fake)
    result = call("host_run", "--config=a b", cwd=tmp_path, PYTHON=python, RESTART_SECONDS="0", **environment)
    started = (tmp_path / "started").read_text().splitlines()
    assert started == ["launch/main.py --distributed --config=a b"] * starts
    assert result.returncode == codes[starts - 1]
    assert call("host_state", cwd=tmp_path).stdout == f"ended with {codes[starts - 1]}\n"


def test_a_host_that_is_asked_to_stop_stays_so(tmp_path: pathlib.Path) -> None:
    """The signal goes to the group, as `stop` sends it; the program saves, and ends with 75."""
    python = program(tmp_path / "python", "trap 'exit 75' TERM; touch up; while true; do sleep 0.1; done")
    environment = {**os.environ, "PYTHON": python, "RESTART_SECONDS": "0"}
    host = subprocess.Popen([str(SCRIPT), "host_run"], cwd=tmp_path, env=environment, start_new_session=True)
    wait_for(tmp_path / "up")
    os.killpg(host.pid, signal.SIGTERM)
    assert host.wait(30) == 75
    assert (tmp_path / "run.code").read_text() == "75\n"


@pytest.mark.parametrize("code", [75, 1])
def test_a_host_that_is_asked_to_stop_between_two_starts_stays_so(tmp_path: pathlib.Path, code: int) -> None:
    python = program(tmp_path / "python", f"echo >>started; exit {code}")
    program(tmp_path / "sleep", "touch asleep; exec /bin/sleep 30")
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PYTHON": python, "PATH": path}
    host = subprocess.Popen([str(SCRIPT), "host_run"], cwd=tmp_path, env=environment, start_new_session=True)
    wait_for(tmp_path / "asleep")
    os.killpg(host.pid, signal.SIGTERM)
    assert host.wait(20) == code
    assert (tmp_path / "run.code").read_text() == f"{code}\n"
    assert (tmp_path / "started").read_text() == "\n"


def test_a_host_starts_one_run_and_says_how_it_is(tmp_path: pathlib.Path) -> None:
    (tmp_path / "launch").symlink_to(SCRIPT.parent)
    python = program(
        tmp_path / "python", 'echo "step 7 of $2"; touch up; trap "exit 75" TERM; while true; do sleep 0.1; done'
    )
    assert call("host_state", cwd=tmp_path).stdout.startswith("nothing runs on ")
    (tmp_path / "run.code").write_text("1\n")  # of an earlier one
    assert call("host_start", "--config=a b", cwd=tmp_path, PYTHON=python).returncode == 0
    wait_for(tmp_path / "up")
    again = call("host_start", cwd=tmp_path, PYTHON=python)
    state = call("host_state", cwd=tmp_path).stdout
    os.killpg(int((tmp_path / "run.pid").read_text()), signal.SIGTERM)
    assert again.returncode == 2 and "is already running; stop it first" in again.stderr
    assert state.startswith("running on ") and state.endswith(": step 7 of --distributed\n")
    wait_for(tmp_path / "run.code")
    assert call("host_state", cwd=tmp_path).stdout == "ended with 75\n"


def test_resume_recreates_a_lost_slice_and_ends_with_the_run(tmp_path: pathlib.Path) -> None:
    """With a fake gcloud that answers each query of the slice or the run with the next line of a file."""
    (tmp_path / "states").write_text("SUSPENDED\nWAITING_FOR_RESOURCES\nACTIVE\nACTIVE\nPROVISIONING\nACTIVE\nACTIVE\n")
    (tmp_path / "runs").write_text("running on h: step 1\nnothing runs on h\nended with 0\n")
    fake = f"""
cd {tmp_path}
next() {{ head -n 1 "$1"; sed -i 1d "$1"; }}
case "$*" in
  *describe*) next states ;;
  *host_state*) next runs ;;
  *) echo "$3 $4 $(grep -o "host_[a-z]*" <<<"$*")" >>done ;;
esac"""
    result = resume_with(fake, tmp_path)
    assert result.returncode == 0, result.stderr
    done = [line.strip() for line in (tmp_path / "done").read_text().splitlines()]
    anew = ["queued-resources delete", "queued-resources create"]
    setup = ["tpu-vm scp", "tpu-vm ssh", "tpu-vm ssh host_setup", "tpu-vm ssh host_start"]
    assert done == [*anew, *setup, *setup]
    assert (tmp_path / "states").read_text() == ""  # the run was not queried while the slice was pending
    assert result.stdout.endswith("the run has ended with 0; remember to delete the slice\n")


def resume_with(gcloud: str, folder: pathlib.Path) -> subprocess.CompletedProcess[str]:
    """`resume` with a fake gcloud."""
    program(folder / "gcloud", gcloud)
    program(folder / "git", "exit 0")
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return call("resume", *ALL, *RUN, PATH=path, POLL_SECONDS="0", TMPDIR=str(folder))


def test_resume_continues_when_a_command_fails(tmp_path: pathlib.Path) -> None:
    fake = f"""
cd {tmp_path}
case "$*" in
  *describe*) [ -e made ] && echo ACTIVE ;;
  *create*) echo try >>tries; [ "$(wc -l <tries)" = 3 ] && touch made ;;
  *host_state*) echo ended with 70 ;;
esac"""
    result = resume_with(fake, tmp_path)
    assert result.returncode == 70 and len((tmp_path / "tries").read_text().splitlines()) == 3
    assert result.stderr.count("tpu_vm.sh: create failed") == 2
