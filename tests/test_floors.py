"""The house has floors: a room imports strictly lower floors or itself (see CONTRIBUTING.md)."""

import ast
import pathlib
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).parent.parent
FLOORS = {
    "errors": 0,
    "files": 1,
    "metrics": 1,
    "progress": 1,
    "tokens": 1,
    "workers": 1,
    "config": 2,
    "backbones": 3,
    "cli": 3,
    "model": 3,
    "objectives": 3,
    "tokenizer": 3,
    "data": 4,
    "formats": 4,
    "interop": 4,
    "kitchen": 5,
    "speech": 5,
    "tasks": 5,
    "video": 5,
    "visual_words": 5,
    "prepare": 6,
    "training": 6,
    "inference": 7,
    "planning": 7,
    "evaluation": 8,
    "applications": 9,
    "benchmarks": 10,
    "launch": 10,
}
# Grain's worker processes run `data`; spawned ones of `prepare` draw and decode. None may open an accelerator.
WITHOUT_JAX = (
    "errors",
    "files",
    "progress",
    "tokens",
    "workers",
    "config",
    "data",
    "formats",
    "kitchen",
    "metrics",
    "speech",
    "video/frames",
)
JAX = {"jax", "jaxlib", "flax", "optax", "orbax"}


def room_of(path: pathlib.Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[1] if parts[0] == "videobert_jax" else parts[0]


def imports(path: pathlib.Path) -> Iterator[str]:
    """Every module that a file imports, those inside functions too, as dotted names."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            yield from (f"{module}.{alias.name}" for alias in node.names)


def sources() -> list[pathlib.Path]:
    return [
        path for folder in ("videobert_jax", "launch", "benchmarks") for path in sorted((ROOT / folder).rglob("*.py"))
    ]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path: pathlib.Path) -> None:
    room = room_of(path)
    if room == "__init__":
        return
    assert room in FLOORS, f"{room} has no floor: add it to FLOORS and to CONTRIBUTING.md"
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "videobert_jax" or len(parts) < 2:
            assert parts[0] not in ("launch", "configs", "benchmarks", "tests"), f"{path} imports {name}"
            continue
        other = parts[1]
        assert other == room or FLOORS[other] < FLOORS[room], f"{room} (floor {FLOORS[room]}) imports {name}"


@pytest.mark.parametrize("place", WITHOUT_JAX)
def test_workers_do_not_import_jax(place: str) -> None:
    """Nor does anything of ours that they import, at module level or inside functions."""
    start = ROOT / "videobert_jax" / place
    pending = list(start.rglob("*.py")) if start.is_dir() else [start.with_suffix(".py")]
    assert pending
    seen: set[pathlib.Path] = set()
    while pending:
        path = pending.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in imports(path):
            assert name.split(".")[0] not in JAX, f"{path} imports {name}, and {place} needs it"
            if name.startswith("videobert_jax."):
                pending += modules(name)


def modules(name: str) -> list[pathlib.Path]:
    """The files that importing `name` runs: the module itself, or the one that defines an imported attribute."""
    for candidate in (name, name.rpartition(".")[0]):
        path = ROOT.joinpath(*candidate.split("."))
        if path.with_suffix(".py").exists():
            return [path.with_suffix(".py")]
        if (path / "__init__.py").exists():
            return [path / "__init__.py"]
    raise AssertionError(f"no module {name}")


def test_no_file_is_two_rooms() -> None:
    long = {
        str(path.relative_to(ROOT)): lines for path in sources() if (lines := len(path.read_text().splitlines())) > 400
    }
    assert not long, f"files over 400 lines: {long}"
