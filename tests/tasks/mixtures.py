"""A tiny mixture of six tasks; also a program, for tests that need eight devices or a process to kill.

FOLDER is one that `write` filled; TASK is "mixture", or a part to train by itself.

python mixtures.py devices FOLDER '{"all": [2, 2, 2], ...}' TASK...  steps on one device and on each mesh; prints JSON
python mixtures.py train FOLDER TASK WORKDIR [step|save NUMBER]      a whole run, or one killed as in `tiny_run`
"""

import dataclasses
import json
import pathlib
import shutil
import sys
from typing import Any

import jax
import numpy as np
import tiny_run
from written_records import write_records

from videobert_jax import tasks, tokenizer
from videobert_jax.config import (
    AnsweringConfig,
    ClassificationConfig,
    Config,
    MixtureConfig,
    PartConfig,
    RecommendationConfig,
    RetrievalConfig,
)
from videobert_jax.data import batching
from videobert_jax.data.batch import Batch
from videobert_jax.data.prepared import Prepared
from videobert_jax.tasks import mixture
from videobert_jax.tasks.task import Task
from videobert_jax.training import sharding
from videobert_jax.training.program import make_program
from videobert_jax.training.reporting import writers

CAPTIONS = ("cut the apple", "pour it")
SPLITS = {"train": range(24), "validation": range(100, 106)}
PARTS = ("pretraining", "action", "answering", "retrieval", "recommendation", "traits")
STEPS = 3


def write(folder: pathlib.Path) -> Prepared:
    """Random records with captions, and files of labels, questions and histories beside them."""
    prepared = tiny_run.write_prepared(folder / "prepared")
    shutil.rmtree(prepared / "records")
    starts = np.zeros(2, np.float32)
    for split, numbers in SPLITS.items():
        records = [
            dataclasses.replace(
                tiny_run._record(number), captions=CAPTIONS, caption_starts=starts, caption_ends=starts + 6
            )
            for number in numbers
        ]
        write_records(prepared / "records", split, records)
    tokenizer.train((*CAPTIONS, "what is it"), 100).save(prepared / "tokenizer")
    every = [(number, split) for split, numbers in SPLITS.items() for number in numbers]
    rows = [f"{('cut', 'pour', 'stir')[number % 3]},video{number},0,12,{split}" for number, split in every]
    (folder / "labels.csv").write_text("\n".join(["label,youtube_id,time_start,time_end,split", *rows]) + "\n")
    traits = {name: [one for one in every if one[0] % order == 0] for name, order in (("hot", 2), ("wet", 3))}
    rows = [f"{name},video{number},0,12,{split}" for name, some in traits.items() for number, split in some]
    (folder / "traits.csv").write_text("\n".join(["label,youtube_id,time_start,time_end,split", *rows]) + "\n")
    watched = [f"u{user},video{(7 * user + time) % 24},{time}" for user in range(9) for time in range(5)]
    (folder / "histories.csv").write_text("\n".join(["user,item,timestamp", *watched]) + "\n")
    questions = [{"video_name": f"video{n}", "question": "what is it", "question_id": str(n)} for n, _ in every]
    answers = [{"question_id": str(n), "answer": ("cup", "jug")[n % 2], "type": 0} for n, _ in every]
    (folder / "all_q.json").write_text(json.dumps(questions))
    (folder / "all_a.json").write_text(json.dumps(answers))
    return Prepared(prepared)


def config_of(folder: pathlib.Path, **changes: Any) -> Config:
    """Six tasks, of which several have heads of the same name; `changes` as in `tiny_run.tiny_config`."""
    sizes = {"batch_size": 16, "max_sequences": 4}
    config = tiny_run.tiny_config(folder / "cache", **{"data": sizes, "checkpoint": {"every": 2}, **changes})
    parts = {
        "pretraining": PartConfig(weight=3.0, task=config.task),
        "action": PartConfig(task=ClassificationConfig(labels=str(folder / "labels.csv"))),
        "answering": PartConfig(factor=0.5, task=AnsweringConfig(questions=str(folder))),
        "retrieval": PartConfig(weight=2.0, task=RetrievalConfig()),
        "recommendation": PartConfig(task=RecommendationConfig(histories=str(folder / "histories.csv"))),
        # Videos have both labels, one or none.
        "traits": PartConfig(
            task=ClassificationConfig(labels=str(folder / "traits.csv"), multiple=True, unlabelled=True)
        ),
    }
    return tiny_run.measured_by(dataclasses.replace(config, task=MixtureConfig(parts=parts)))


def batch_of(task: Task, prepared: Prepared, config: Config, step: int = 0) -> Batch:
    """A batch of a run."""
    examples = task.examples(prepared, "train")
    return batching.dataset(examples, task.row, task.group, config.data, config.seed)[step]


def steps_on(config: Config, prepared: Prepared) -> list[dict[str, float]]:
    """The metrics of the first steps on the config's mesh."""
    sizes = dataclasses.astuple(config.mesh)
    mesh = sharding.make_mesh(config.mesh, jax.devices()[: int(np.prod(sizes))])
    task, size, results = tasks.make_task(config, tiny_run.TOKENS), config.data.batch_size, []
    program = make_program(config, task, mesh)
    with jax.set_mesh(mesh):
        state, step = program.init(), program.compile_train_step()
        for number in range(STEPS):
            batch = sharding.to_global(batch_of(task, prepared, config, number), range(size), mesh, size)
            state, pairs = step(state, batch)
            results.append(writers.means(jax.device_get(pairs)))
    return results


def only(config: Config, task: str) -> Config:
    """The config of a part by itself, or of the mixture."""
    return config if task == "mixture" else mixture.config_of(config, task)


def devices(folder: pathlib.Path, meshes: dict[str, list[int]], names: list[str]) -> None:
    """Prints the metrics of each task on each mesh."""
    prepared = Prepared(folder / "prepared")
    results: dict[str, dict[str, list[dict[str, float]]]] = {name: {} for name in names}
    for name, found in results.items():
        for place, sizes in {"single": [1, 1, 1], **meshes}.items():
            mesh = dict(zip(sharding.AXES, sizes, strict=True))
            found[place] = steps_on(tasks.complete(only(config_of(folder, mesh=mesh), name), prepared), prepared)
    print(json.dumps(results))


def train(folder: pathlib.Path, task: str, workdir: pathlib.Path, *death: str) -> None:
    """Trains for four steps, with a checkpoint every second."""
    if death:
        tiny_run.kill_at(death[0], int(death[1]))
    prepared = Prepared(folder / "prepared")
    config = tasks.complete(only(config_of(folder, steps=4), task), prepared)
    tiny_run.train(config, workdir, prepared.folder)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["devices", folder, meshes, *names]:
            devices(pathlib.Path(folder), json.loads(meshes), names)
        case ["train", folder, task, workdir, *death]:
            train(pathlib.Path(folder), task, pathlib.Path(workdir), *death)
        case arguments:
            raise SystemExit(f"no such command: {arguments}")
