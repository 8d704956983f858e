"""Measures tokens per second of a full training step on this CPU, compared with `transformers`' BertForPreTraining.

    pip install torch
    python benchmarks/step_time.py --size=small
    python benchmarks/step_time.py --size=base
    python benchmarks/step_time.py --size=small --prepared=cache/prepared-...

A step is forward, backward, clipping and AdamW, with dropout 0.1 and, for ours, all metrics. By default both read the
same full rows, of the same vocabulary, with 15 % of the tokens predicted. Torch's BERT computes the logits of all
positions, applies dropout to attention probabilities, and uses float32. "Tuned" omits that dropout and uses the fused
optimizer, and bfloat16 by autocast where stated. With `--prepared`, a folder written by `prepare`, both read the same
sequences: ours packed into rows, torch's one per row, padded to the longest of the batch, as is common. Padding is not
counted.
"""

import dataclasses
import functools
import pathlib
import statistics
import time
from collections.abc import Callable

import jax
import numpy as np
import torch
from absl import app, flags
from transformers import BertConfig, BertForPreTraining

from videobert_jax.config import Config, DataConfig, ModelConfig, PretrainingConfig
from videobert_jax.data import batching
from videobert_jax.data.prepared import TRAIN, Prepared
from videobert_jax.tasks import make_task
from videobert_jax.tokens import TokenSpace
from videobert_jax.training import sharding
from videobert_jax.training.program import make_program

_SIZE = flags.DEFINE_enum("size", "small", ["small", "base"], "Layers and width.")
_PREPARED = flags.DEFINE_string("prepared", None, "Folder of prepared data; by default, synthetic full rows.")
_STEPS = flags.DEFINE_integer("steps", 5, "Timed steps of each; the median is reported.", 1)

SIZES = {"small": (6, 384, 6, 1536), "base": (12, 768, 12, 3072)}
ROWS = {"small": 8, "base": 4}
BERT = TokenSpace(text_size=30_522, visual_size=20_736, pad=0, unknown=100, cls=101, sep=102, mask=103, joiner=1)
PREDICTIONS = 77
FULL = Config(
    data=DataConfig(sequence_length=512, max_sequences=16), task=PretrainingConfig(max_predictions=PREDICTIONS)
)
KITCHEN = Config(
    data=DataConfig(batch_size=16, sequence_length=256, max_sequences=32), task=PretrainingConfig(max_predictions=48)
)
IGNORED = -100  # label of positions without a prediction in torch

Batch = dict[str, np.ndarray]
Step = Callable[[], None]


def full_rows(rows: int) -> Batch:
    """A synthetic batch with one sequence per row, without padding."""
    rng = np.random.default_rng(0)
    length, predictions, sequences = FULL.data.sequence_length, PREDICTIONS, FULL.data.max_sequences
    ids = rng.integers(1000, BERT.size, (rows, length), dtype=np.int32)
    places = np.sort(rng.permuted(np.tile(np.arange(length, dtype=np.int32), (rows, 1)), axis=1)[:, :predictions])
    first = np.zeros((rows, sequences), np.int32)
    chosen = np.tile(np.arange(sequences) == 0, (rows, 1))
    return {
        "token_ids": ids,
        "positions": np.tile(np.arange(length, dtype=np.int32), (rows, 1)),
        "segment_types": np.tile(np.arange(length, dtype=np.int32) // (length // 2), (rows, 1)),
        "sequence_ids": np.ones((rows, length), np.int32),
        "sequence_modes": first,
        "prediction_positions": places,
        "prediction_targets": np.take_along_axis(ids, places, axis=1),
        "prediction_weights": np.ones((rows, predictions), np.float32),
        "cls_positions": first,
        "alignment_labels": first,
        "alignment_weights": chosen.astype(np.float32),
    }


def ours(batch: Batch, tokens: TokenSpace, kind: Config, dtype: str) -> Step:
    """Our compiled step."""
    layers, width, heads, mlp = SIZES[_SIZE.value]
    model = ModelConfig(layers, width, heads, mlp, dtype=dtype, unroll=layers, visual_rows="random")
    rows = len(batch["token_ids"])
    config = dataclasses.replace(kind, model=model, data=dataclasses.replace(kind.data, batch_size=rows))
    mesh = sharding.make_mesh(config.mesh, jax.devices()[:1])
    program = make_program(config, make_task(config, tokens), mesh)
    with jax.set_mesh(mesh):
        state, step = program.init(), program.compile_train_step()
        arrays = sharding.to_global(batch, range(rows), mesh, rows)

    def run() -> None:
        nonlocal state
        state, metrics = step(state, arrays)
        jax.block_until_ready((state, metrics))

    return run


def one_a_row(batch: Batch) -> dict[str, torch.Tensor]:
    """Unpacks the sequences of a batch for torch: one per row, padded to the longest."""
    labels = np.full(batch["token_ids"].shape, IGNORED)
    predicted = np.nonzero(batch["prediction_weights"])
    labels[predicted[0], batch["prediction_positions"][predicted]] = batch["prediction_targets"][predicted]
    ids = batch["sequence_ids"]
    sequences = [np.flatnonzero((np.arange(len(ids)) == row)[:, None] & (ids == one)) for row, one in _sequences(ids)]
    shape = (len(sequences), max(map(len, sequences)))
    arrays = {
        "input_ids": (batch["token_ids"], 0),
        "token_type_ids": (batch["segment_types"], 0),
        "attention_mask": (np.ones_like(ids), 0),
        "labels": (labels, IGNORED),
    }
    padded = {}
    for name, (values, padding) in arrays.items():
        padded[name] = np.full(shape, padding, np.int64)
        for row, places in enumerate(sequences):
            padded[name][row, : len(places)] = values.reshape(-1)[places]
    tensors = {name: torch.from_numpy(values) for name, values in padded.items()}
    return tensors | {"next_sentence_label": torch.zeros(len(sequences), dtype=torch.long)}


def _sequences(ids: np.ndarray) -> list[tuple[int, int]]:
    return [(row, one) for row in range(len(ids)) for one in range(1, ids[row].max() + 1)]


def theirs(batch: Batch, tokens: TokenSpace, tuned: bool, dtype: str) -> Step:
    """Torch's step."""
    layers, width, heads, mlp = SIZES[_SIZE.value]
    config = BertConfig(
        vocab_size=tokens.size,
        num_hidden_layers=layers,
        hidden_size=width,
        num_attention_heads=heads,
        intermediate_size=mlp,
        attention_probs_dropout_prob=0.0 if tuned else 0.1,
    )
    model = BertForPreTraining(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=tuned)
    inputs = one_a_row(batch)

    def run() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
            loss = model(**inputs).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return run


def contenders(batch: Batch, tokens: TokenSpace, kind: Config) -> dict[str, Callable[[], Step]]:
    """Functions that create a step, by name."""
    partial = functools.partial
    return {
        "ours, bfloat16": partial(ours, batch, tokens, kind, "bfloat16"),
        "ours, float32": partial(ours, batch, tokens, kind, "float32"),
        "torch, as it comes (float32)": partial(theirs, batch, tokens, False, "float32"),
        "torch, tuned, float32": partial(theirs, batch, tokens, True, "float32"),
        "torch, tuned, bfloat16": partial(theirs, batch, tokens, True, "bfloat16"),
    }


def median_seconds(step: Step) -> float:
    """The median time of `--steps` steps, after a warm-up step."""
    times = []
    for _ in range(1 + _STEPS.value):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def prepared_batch(folder: pathlib.Path) -> tuple[Batch, TokenSpace]:
    """The first batch of a prepared folder, and its token space."""
    prepared = Prepared(folder)
    tokens = prepared.tokens()
    task = make_task(KITCHEN, tokens)
    data = batching.dataset(task.examples(prepared, TRAIN), task.row, task.group, KITCHEN.data, seed=0)
    return data[0], tokens


def main(_: list[str]) -> None:
    """Prints a line for each contender."""
    if _PREPARED.value:
        batch, tokens = prepared_batch(pathlib.Path(_PREPARED.value))
        kind = KITCHEN
    else:
        batch, tokens, kind = full_rows(ROWS[_SIZE.value]), BERT, FULL
    real = int((batch["sequence_ids"] > 0).sum())
    padded = one_a_row(batch)["input_ids"].numel()
    print(
        f"{_SIZE.value}: {real:,} tokens a step, {tokens.size:,} ids; torch's rows have {padded:,} positions",
        flush=True,
    )
    seconds: dict[str, float] = {}
    for name, make in contenders(batch, tokens, kind).items():
        seconds[name] = median_seconds(make())
        ratios = [seconds[name] / taken for mine, taken in seconds.items() if mine.startswith("ours")]
        against = "  ".join(f"{ratio:5.2f}" for ratio in ratios)
        print(
            f"{name:30} {seconds[name]:7.3f} s  {real / seconds[name]:8,.0f} tokens/s  it / ours: {against}", flush=True
        )


if __name__ == "__main__":
    app.run(main)
