"""The smallest complete run: random records, a model of two narrow layers, a few steps.

Also a program, for tests that need a process of their own, to kill or to join:

    python tiny_run.py PREPARED WORKDIR '{"steps": 4, "mesh": {"fsdp": 8}}' [step|save NUMBER]

With the last two arguments the process kills itself when that step is under way, or its checkpoint is being written.
"""

import dataclasses
import json
import os
import pathlib
import signal
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from written_records import write_records

from videobert_jax.config import (
    CheckpointConfig,
    Config,
    DataConfig,
    HeldOutConfig,
    MeshConfig,
    ModelConfig,
    OptimizerConfig,
    PretrainingConfig,
    ZeroShotConfig,
)
from videobert_jax.data import batching
from videobert_jax.data.prepared import Prepared
from videobert_jax.data.records import ClipDetails, Record, RecordSource
from videobert_jax.tokens import TokenSpace
from videobert_jax.training.workdir import Workdir

TOKENS = TokenSpace(text_size=200, visual_size=48, pad=0, unknown=1, cls=2, sep=3, mask=4, joiner=5)
DETAILED = dataclasses.replace(TOKENS, feature_size=8, codebooks=2, codebook_size=6)
CLIPS, SENTENCES, SENTENCE_CLIPS = 24, 4, 6


def tiny_config(cache: pathlib.Path, **changes: Any) -> Config:
    """Twelve steps, logged each and saved every fourth; `changes` as in `dataclasses.replace`, nested."""
    config = Config(
        steps=12,
        log_every=1,
        data=DataConfig(cache=str(cache), batch_size=8, sequence_length=64, max_sequences=6),
        task=PretrainingConfig(max_predictions=12, chunks_per_row=2),
        model=ModelConfig(
            num_layers=2,
            hidden_size=64,
            num_heads=2,
            mlp_size=128,
            max_positions=64,
            dtype="float32",
            visual_rows="random",
        ),
        optimizer=OptimizerConfig(learning_rate=1e-2, warmup_steps=2),
        mesh=MeshConfig(),
        checkpoint=CheckpointConfig(every=4, keep=2),
        evaluators={"held_out": HeldOutConfig(every=2, batches=2), "zero_shot": ZeroShotConfig()},
    )
    return _changed(config, changes)


def measured_by(config: Config, **evaluators: Any) -> Config:
    """The config with these evaluators and no others; checkpoints are kept by their age."""
    checkpoint = dataclasses.replace(config.checkpoint, metric="")
    return dataclasses.replace(config, evaluators=evaluators, checkpoint=checkpoint)


def train(config: Config, workdir: pathlib.Path, prepared: pathlib.Path, **options: Any) -> dict[str, Any]:
    """Runs the loop with the task and the evaluators of the config."""
    from videobert_jax.evaluation import evaluator
    from videobert_jax.tasks import make_task
    from videobert_jax.training import loop

    folder = Prepared(prepared)
    task = make_task(config, folder.tokens())
    return loop.train(config, task, evaluator.for_training(config, task, folder), Workdir(workdir), folder, **options)


def deterministic(workdir: pathlib.Path) -> list[dict[str, Any]]:
    """The metrics of a run, without its times."""
    from videobert_jax.training.reporting import writers

    lines = writers.read(Workdir(workdir).metrics)
    return [{key: value for key, value in line.items() if key != "timing"} for line in lines]


def leaves(workdir: pathlib.Path, step: int) -> dict[str, np.ndarray]:
    """All arrays of a checkpoint, as stored."""
    import jax
    import orbax.checkpoint as ocp

    with ocp.StandardCheckpointer() as checkpointer:
        state = checkpointer.restore((workdir / "checkpoints" / str(step) / "state").absolute())
    state["rng"] = jax.random.key_data(state["rng"])
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(state)}


def write_prepared(folder: pathlib.Path, tokens: TokenSpace = TOKENS) -> pathlib.Path:
    """A prepared folder with random records and the other files that training reads."""
    for name in ("tokenizer", "vocabulary"):
        (folder / name).mkdir(parents=True)
    tokens.save(folder / "tokens.json")
    training, held_out = ([_with_details(_record(i), tokens) for i in ids] for ids in (range(40), range(100, 110)))
    write_records(folder / "records", "train", training, records_per_shard=16)
    write_records(folder / "records", "validation", held_out)
    return folder


def _with_details(record: Record, tokens: TokenSpace) -> Record:
    rng = np.random.default_rng(int(record.video_id.removeprefix("video")))
    features = rng.normal(size=(CLIPS, tokens.feature_size)).astype(np.float16)
    codes = rng.integers(0, max(tokens.codebook_size, 1), (CLIPS, tokens.codebooks), dtype=np.int32)
    return dataclasses.replace(record, details=ClipDetails(features, codes) if tokens.feature_size else None)


def batches(source: RecordSource, config: Config, rows: Sequence[int] | None = None) -> Any:
    """The batches of a run, by step."""
    from videobert_jax.tasks import make_task

    task = make_task(config, TOKENS)
    return batching.dataset(source, task.row, task.group, config.data, config.seed, rows)


def _record(seed: int) -> Record:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 9, SENTENCES)
    starts = np.arange(SENTENCES, dtype=np.float32) * SENTENCE_CLIPS
    return Record(
        video_id=f"video{seed}",
        start_clip=0,
        clip_seconds=1.0,
        visual_ids=rng.integers(0, TOKENS.visual_size, CLIPS).astype(np.int32),
        token_ids=rng.integers(6, TOKENS.text_size, lengths.sum()).astype(np.int32),
        sentence_offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
        sentence_starts=starts,
        sentence_ends=starts + SENTENCE_CLIPS,
    )


def _changed(section: Any, changes: dict[str, Any]) -> Any:
    values = section if isinstance(section, dict) else vars(section)
    changed = {name: _changed(values[name], new) if isinstance(new, dict) else new for name, new in changes.items()}
    return {**section, **changed} if isinstance(section, dict) else dataclasses.replace(section, **changed)


def kill_at(point: str, number: int) -> None:
    """Has this process kill itself when a step is under way, or its checkpoint is being written."""
    from videobert_jax.training.checkpoints import Checkpoints
    from videobert_jax.training.reporting.journal import Journal

    owner, name = {"step": (Journal, "dispatched"), "save": (Checkpoints, "save")}[point]
    method = getattr(owner, name)

    def dying(self: Any, step: int, *args: Any) -> None:
        method(self, step, *args)
        if step == number:
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, dying)


def main(prepared: str, workdir: str, changes: str, *death: str) -> None:
    if death:
        kill_at(death[0], int(death[1]))
    config = tiny_config(pathlib.Path(prepared).parent / "cache", **json.loads(changes))
    train(config, pathlib.Path(workdir), pathlib.Path(prepared))


if __name__ == "__main__":
    main(*sys.argv[1:])
