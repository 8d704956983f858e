"""Several tasks at once: each has its own rows, its own heads and its own losses, over one trunk."""

import dataclasses
import pathlib
import shutil
from typing import Any, ClassVar, NamedTuple

import jax
import mixtures
import numpy as np
import pytest
import tiny_run

import videobert_jax
from videobert_jax import tasks
from videobert_jax.config import (
    ClassificationConfig,
    ClassificationScoresConfig,
    Config,
    HeldOutConfig,
    MixtureConfig,
    PartConfig,
    RetrievalScoresConfig,
    UseOfVideoConfig,
)
from videobert_jax.data.batch import Batch
from videobert_jax.data.prepared import Prepared
from videobert_jax.errors import ConfigError
from videobert_jax.inference.model import Model
from videobert_jax.model.mixture import of_part
from videobert_jax.planning import plan as planning
from videobert_jax.tasks import mixture
from videobert_jax.tasks.task import Task
from videobert_jax.training.step import make_eval_step

PARTS = mixtures.PARTS


class Made(NamedTuple):
    """A mixture and what it makes of a batch."""

    prepared: Prepared
    config: Config
    task: Task
    model: Model
    batch: Batch
    outputs: Any


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("mixture")
    prepared = mixtures.write(folder)
    config = tasks.complete(mixtures.config_of(folder), prepared)
    task = tasks.make_task(config, tiny_run.TOKENS)
    model = Model(config, task, task.init(jax.random.key(2)), prepared)
    batch = mixtures.batch_of(task, prepared, config)
    return Made(prepared, config, task, model, batch, model.outputs(batch))


def only(arrays: Any, rows: np.ndarray) -> Any:
    """Some rows of a batch or of outputs, in which scalars have none."""
    return jax.tree.map(lambda x: x[rows] if np.ndim(x) else x, arrays)


def test_classes_follow_from_the_data_of_each_part(made: Made) -> None:
    parts = made.config.task.parts
    assert (parts["action"].task.classes, parts["answering"].task.classes) == ("cut;pour;stir", "cup;jug")
    assert parts["traits"].task.classes == "hot;wet"
    assert tasks.complete(made.config, made.prepared) == made.config


def test_heads_of_the_same_name_have_their_parts_names(made: Made) -> None:
    trunk = {"embeddings", "encoder", "pooler"}
    heads = {"prediction_head", "alignment_head", *(f"{part}_class_head" for part in ("action", "answering", "traits"))}
    twice = {f"{part}_{name}" for part in ("retrieval", "recommendation") for name in ("projection", "temperature")}
    assert made.model.params.keys() == trunk | heads | twice
    assert made.model.part("action").params.keys() == {*trunk, "class_head"}
    alone = made.task.parts["action"].init(jax.random.key(2))
    jax.tree.map(np.testing.assert_array_equal, made.model.params["encoder"], alone["encoder"])
    assert made.task.frozen == made.task.parts["action"].frozen


def test_a_loss_is_that_of_the_rows_of_its_part_alone(made: Made) -> None:
    together, rows = made.task.objective, {part: made.batch["part"] == number for number, part in enumerate(PARTS)}
    own = {part: only(of_part(made.batch, part), rows[part]) for part in PARTS}
    alone = {part: only(made.outputs.parts[part], rows[part]) for part in PARTS}
    assert {part: int(found.sum()) for part, found in rows.items()} == dict(zip(PARTS, (6, 2, 2, 3, 2, 1), strict=True))

    def measured(outputs: Any, batch: Any, alone: Any, own: Any) -> Any:
        of_parts = {}
        for part in PARTS:
            objective = made.task.parts[part].objective
            of_parts[part] = objective(alone[part], own[part]), objective.counts(own[part])
        return together(outputs, batch), together.counts(batch), of_parts

    metrics, counts, of_parts = jax.device_get(jax.jit(measured)(made.outputs, made.batch, alone, own))
    expected = {}
    for part, (pairs, sizes) in of_parts.items():
        expected |= {name.replace("/", f"/{part}/", 1): pair for name, pair in pairs.items()}
        assert {name: counts[f"{part}/{name}"] for name in sizes} == sizes
    assert metrics.keys() == expected.keys()
    for name, (total, count) in expected.items():
        assert metrics[name][1] == count, name
        np.testing.assert_allclose(metrics[name][0], total, rtol=1e-5, atol=1e-5, err_msg=name)
    assert {name for name, (_, count) in metrics.items() if count} >= {
        *(
            "loss/pretraining/text",
            "loss/pretraining/alignment",
            "loss/action/label",
            "loss/answering/label",
            "loss/traits/label",
        ),
        *("loss/retrieval/text_to_video", "loss/recommendation/next"),
    }


def test_an_objective_may_count_any_array_and_sees_only_its_own_rows(made: Made) -> None:
    class Positions:
        weights: ClassVar[dict[str, float]] = {"seen": 1.0}
        whole_batch = False

        def __call__(self, outputs: Any, batch: Any) -> Any:
            return {"loss/seen": ((batch["sequence_ids"] > 0).sum(), (batch["sequence_ids"] > 0).sum())}

        def counts(self, batch: Any) -> Any:
            return {"seen": (batch["sequence_ids"] > 0).sum()}

    both = mixture.Together(dict.fromkeys(PARTS, Positions()), dict.fromkeys(PARTS, 1.0))
    counts = both.counts(made.batch)
    for number, part in enumerate(PARTS):
        expected = (made.batch["sequence_ids"][made.batch["part"] == number] > 0).sum()
        assert counts[f"{part}/seen"] == both(made.outputs, made.batch)[f"loss/{part}/seen"][1] == expected > 0


def test_factors_and_weights_multiply(made: Made) -> None:
    objective = made.task.objective
    assert objective.weights["answering/label"] == 0.5
    assert objective.weights["retrieval/text_to_video"] == 0.5
    assert objective.weights["pretraining/text"] == objective.weights["action/label"] == 1.0
    assert objective.whole_batch
    alone = mixture.Together({"action": made.task.parts["action"].objective}, {"action": 1.0})
    assert not alone.whole_batch


@pytest.mark.parametrize("part", ["pretraining", "answering"])
def test_a_part_is_a_model_by_itself(made: Made, part: str) -> None:
    rows = made.batch["part"] == PARTS.index(part)
    model = made.model.part(part)
    assert type(model.task.network) is type(made.task.parts[part].network)
    found = only(model.outputs(of_part(made.batch, part)), rows)
    expected = only(made.outputs.parts[part], rows)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5), found, expected)


def alone(row: Batch, part: str, number: int) -> Batch:
    """A row of a part without all sequences but one, which comes to the beginning."""
    places = np.flatnonzero(row["sequence_ids"] == number + 1)
    emptied = {name: np.zeros_like(array) for name, array in row.items()}
    for name in ("token_ids", "positions", "segment_types"):
        emptied[name][: len(places)] = row[name][places]
    emptied["sequence_ids"][: len(places)] = 1
    if part == "pretraining":
        predicted = row[f"{part}/prediction_positions"]
        emptied[f"{part}/prediction_positions"] = np.where(np.isin(predicted, places), predicted - places[0], 0)
    return emptied


def told(outputs: Any, part: str, place: int, number: int, predicted: np.ndarray) -> list[np.ndarray]:
    """All that is said of a sequence of a row, whose predictions are some of those of the row."""
    said = outputs.parts[part]
    if part == "pretraining":
        return [said.alignment[place, number], said.predictions[place, predicted]]
    return [(said.vectors if hasattr(said, "vectors") else said.logits)[place, number]]


@pytest.mark.parametrize("part", PARTS)
def test_a_sequence_is_told_alike_alone_and_in_a_row_with_others(made: Made, part: str) -> None:
    """Within float32's rounding: another place in a row is another order of sums."""
    packed = {name: array[made.batch["part"] == PARTS.index(part)][0] for name, array in made.batch.items()}
    count = int(packed["sequence_ids"].max())
    rows = [packed, *(alone(packed, part, number) for number in range(count))]
    size = len(made.batch["part"])
    outputs = made.model.outputs({name: np.stack([row[name] for row in rows * size][:size]) for name in packed})
    predicted, weights = (packed[f"pretraining/prediction_{name}"] for name in ("positions", "weights"))
    assert count > 1
    for number in range(count):
        mine = (packed["sequence_ids"][predicted] == number + 1) & (weights > 0)
        together, apart = told(outputs, part, 0, number, mine), told(outputs, part, number + 1, 0, mine)
        for one, other in zip(together, apart, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def sequences(row: Batch) -> list[list[tuple[int, ...]]]:
    """The tokens of each sequence of a row, with their positions and types."""
    arrays = np.stack([row[name] for name in ("token_ids", "positions", "segment_types")], axis=1)
    return [
        [tuple(one) for one in arrays[row["sequence_ids"] == number].tolist()]
        for number in range(1, int(row["sequence_ids"].max()) + 1)
    ]


@pytest.mark.parametrize("part", ["action", "answering", "retrieval", "recommendation", "traits"])
def test_an_example_has_the_same_sequences_in_any_company(made: Made, part: str) -> None:
    task, rng = made.task.parts[part], np.random.default_rng(0)
    examples = task.examples(made.prepared, "train")
    if part == "recommendation":  # a row is a viewer, and each video of it comes alone as the next one
        (one,) = packed = [max((examples[index] for index in range(len(examples))), key=lambda one: len(one.history))]
        videos = (one.next, *one.history[1 - made.config.data.max_sequences :])
        apart = [dataclasses.replace(one, next=video, history=()) for video in videos]
    else:
        packed = apart = [examples[index] for index in range(task.group)]
    found = [sequence for one in apart for sequence in sequences(task.row([one], rng))]
    assert len(found) > 1
    assert sequences(task.row(packed, rng)) == found


def test_an_unknown_part_is_named(made: Made) -> None:
    with pytest.raises(ConfigError, match="the part is 'akshun', expected one of pretraining, action, answering"):
        made.model.part("akshun")
    with pytest.raises(ConfigError, match=r"name is 'answering', expected 'mixture', which alone has parts"):
        made.model.part("answering").part("answering")


def test_a_mixture_of_one_is_that_one(made: Made) -> None:
    section = made.config.task.parts["action"].task
    configs = (
        dataclasses.replace(made.config, task=section),
        dataclasses.replace(made.config, task=MixtureConfig(parts={"action": PartConfig(task=section)})),
    )
    losses, batches, params = [], [], []
    for config in configs:
        task = tasks.make_task(config, tiny_run.TOKENS)
        batches.append(mixtures.batch_of(task, made.prepared, config, 2))
        params.append(task.init(jax.random.key(0)))
        losses.append(jax.jit(make_eval_step(task.network, task.objective))(params[-1], batches[-1]))
    jax.tree.map(np.testing.assert_array_equal, *params)
    for name, array in batches[0].items():
        np.testing.assert_array_equal(of_part(batches[1], "action")[name], array)
    assert losses[0]["loss/label"][1] > 0
    for kind in ("loss", "accuracy"):
        np.testing.assert_array_equal(losses[0][f"{kind}/label"], losses[1][f"{kind}/action/label"])


def test_a_part_without_weight_has_heads_and_no_rows(made: Made) -> None:
    parts = dict(made.config.task.parts)
    parts["answering"] = dataclasses.replace(parts["answering"], weight=0.0)
    config = dataclasses.replace(made.config, task=MixtureConfig(parts=parts))
    task = tasks.make_task(config, tiny_run.TOKENS)
    assert "answering_class_head" in task.abstract_params()
    assert 2 not in mixtures.batch_of(task, made.prepared, config)["part"]


def test_an_error_names_the_part(made: Made) -> None:
    parts = {"a": PartConfig(), "b": PartConfig(task=ClassificationConfig(labels="nowhere"))}
    config = dataclasses.replace(made.config, task=MixtureConfig(parts=parts))
    with pytest.raises(ConfigError, match=r"in config.task.parts.b, whose `task` is config.task here: .* is 'nowhere'"):
        tasks.complete(config, made.prepared)


def test_a_plan_has_the_rows_that_the_pipeline_makes(made: Made) -> None:
    prepare = dataclasses.replace(made.config.prepare, branching=7, depth=2, tokenizer_size=200)
    config = dataclasses.replace(made.config, prepare=prepare)
    task = tasks.make_task(config, planning.token_space(config))
    assert {name: (x.shape[1:], x.dtype) for name, x in made.batch.items()} == task.row.shapes
    flops = made.task.network.flops(made.batch)
    alone = {part: made.task.parts[part].network.flops(of_part(made.batch, part)) for part in PARTS}
    assert flops == alone["pretraining"] > alone["action"]  # other heads are counted as nothing


@pytest.mark.slow
def test_a_run_resumes_and_each_part_is_measured_and_loaded(made: Made, tmp_path: pathlib.Path) -> None:
    evaluators = {
        "held_out": HeldOutConfig(every=2, batches=1),
        "use_of_video_of_pretraining": UseOfVideoConfig(every=2, batches=1),
        "classification_of_action": ClassificationScoresConfig(every=2),
        "retrieval_of_retrieval": RetrievalScoresConfig(every=2),
    }
    config = dataclasses.replace(tiny_run.measured_by(made.config, **evaluators), steps=4)
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    tiny_run.train(config, whole, made.prepared.folder)
    shutil.copytree(whole, resumed)
    shutil.rmtree(resumed / "checkpoints" / "4")
    tiny_run.train(config, resumed, made.prepared.folder)
    assert tiny_run.deterministic(resumed) == tiny_run.deterministic(whole)
    names = set().union(*tiny_run.deterministic(whole))
    assert names >= {"loss/retrieval/text_to_video", "held_out/loss", "held_out/loss/action/label"}
    assert names >= {"use_of_video_of_pretraining/nats", "classification_of_action/macro_f1"}
    assert names >= {"retrieval_of_retrieval/text_to_video/recall_at_10"}

    model = videobert_jax.load(whole)
    again, part = videobert_jax.load(resumed), videobert_jax.load(whole, part="retrieval")
    jax.tree.map(np.testing.assert_array_equal, again.params, model.params)
    rows = made.batch["part"] == PARTS.index("retrieval")
    found = only(part.outputs(of_part(made.batch, "retrieval")), rows).vectors
    np.testing.assert_allclose(found, only(model.outputs(made.batch).parts["retrieval"], rows).vectors, atol=1e-6)
