"""Measures the tokens per second of the input pipeline on one core, compared with peers.

    python benchmarks/input.py

All read the same synthetic records (4,096 chunks of 72 clips and 16 sentences, BERT's and VideoBERT's vocabularies)
from ArrayRecord, in one thread, and produce batches of masked rows. The peers are typical pipelines: a TFDS data source
with one padded example per row, masked by Hugging Face's `DataCollatorForLanguageModeling`. An example of the first is
a random sentence with its clips; of the second, an upper bound, a whole stored chunk. Neither draws negatives, rates or
modes. Padding is not counted. The time is processor time, so that other work on the machine does not distort it.
"""

import dataclasses
import functools
import pathlib
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import grain
import numpy as np
import tensorflow_datasets as tfds
import tokenizers
from absl import app, logging
from transformers import DataCollatorForLanguageModeling, PreTrainedTokenizerFast

from videobert_jax.config import DataConfig, PretrainingConfig
from videobert_jax.data import batching, records
from videobert_jax.data.rows.pretraining import PretrainingRows
from videobert_jax.tokens import TokenSpace

TOKENS = TokenSpace(text_size=30_522, visual_size=20_736, pad=0, unknown=100, cls=101, sep=102, mask=103, joiner=1)
DETAILED = dataclasses.replace(TOKENS, feature_size=128)
FIRST_WORD = 999
CHUNKS, CLIPS, SENTENCES, CHUNKS_PER_VIDEO = 4096, 72, 16, 4
CONFIGS = (
    (DataConfig(batch_size=32, sequence_length=512, max_sequences=64), PretrainingConfig(max_predictions=80)),
    (
        DataConfig(batch_size=32, sequence_length=128, max_sequences=16),
        PretrainingConfig(max_predictions=20, chunks_per_row=2),
    ),
)
SECONDS = 5.0
Example = Callable[[dict[str, Any], np.random.Generator], tuple[np.ndarray, np.ndarray]]  # -> words, clips
# -> step -> positions that hold tokens
Pipeline = Callable[[pathlib.Path, DataConfig, PretrainingConfig], Callable[[int], np.ndarray]]


def made_up_records(tokens: TokenSpace) -> Iterator[records.Record]:
    """Synthetic records of about 190 words and 72 clips each, near the 256 tokens that `prepare` aims at."""
    rng = np.random.default_rng(0)
    for chunk in range(CHUNKS):
        lengths = rng.integers(6, 19, SENTENCES)
        start_clip = chunk % CHUNKS_PER_VIDEO * CLIPS
        bounds = 1.5 * (start_clip + np.linspace(0, CLIPS, SENTENCES + 1))
        yield records.Record(
            video_id=f"video{chunk // CHUNKS_PER_VIDEO:05d}",
            start_clip=start_clip,
            clip_seconds=1.5,
            visual_ids=rng.integers(TOKENS.visual_size, size=CLIPS, dtype=np.int32),
            token_ids=rng.integers(FIRST_WORD, TOKENS.text_size, size=lengths.sum(), dtype=np.int32),
            sentence_offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
            sentence_starts=bounds[:-1].astype(np.float32),
            sentence_ends=bounds[1:].astype(np.float32),
            details=records.ClipDetails(
                rng.normal(size=(CLIPS, tokens.feature_size)).astype(np.float16), np.zeros((CLIPS, 0), np.int32)
            )
            if tokens.feature_size
            else None,
        )


def ours(
    tokens: TokenSpace, directory: pathlib.Path, config: DataConfig, task: PretrainingConfig
) -> Callable[[int], np.ndarray]:
    """Our pipeline: from a step to bool [B, S], the positions of its batch that hold tokens."""
    source, row = records.RecordSource(directory, "train"), PretrainingRows(tokens, task, config)
    data = batching.dataset(source, row, task.chunks_per_row, config, seed=0)
    return lambda step: data[step]["sequence_ids"] > 0


def peer(
    example: Example, directory: pathlib.Path, config: DataConfig, task: PretrainingConfig
) -> Callable[[int], np.ndarray]:
    """The pipeline of a peer, with one padded example per row."""
    specials = {"pad_token": TOKENS.pad, "cls_token": TOKENS.cls, "sep_token": TOKENS.sep, "mask_token": TOKENS.mask}
    vocabulary = {f"token{index}": index for index in range(TOKENS.size)}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="token100")),
        **{name: f"token{index}" for name, index in specials.items()},
    )
    collator = DataCollatorForLanguageModeling(
        tokenizer, mlm_probability=task.masking, pad_to_multiple_of=config.sequence_length, return_tensors="np"
    )

    def encode(features: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
        words, clips = example(features, rng)
        ids = np.concatenate([[TOKENS.cls], words, [TOKENS.joiner], clips + TOKENS.text_size, [TOKENS.sep]])
        return {"input_ids": ids[: config.sequence_length]}

    source = tfds.builder_from_directory(directory).as_data_source("train")
    data = (
        grain.MapDataset.source(source)
        .seed(0)
        .shuffle()
        .repeat()
        .random_map(encode)
        .batch(config.batch_size, drop_remainder=True, batch_fn=collator)
    )
    return lambda step: data[step]["attention_mask"] > 0


def one_sentence(features: dict[str, Any], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A random sentence, and the clips whose centres lie in its time."""
    index = rng.integers(len(features["sentence_starts"]))
    first, stop = features["sentence_offsets"][index : index + 2]
    centres = (features["start_clip"] + np.arange(len(features["visual_ids"])) + 0.5) * features["clip_seconds"]
    inside = (centres >= features["sentence_starts"][index]) & (centres < features["sentence_ends"][index])
    return features["token_ids"][first:stop], features["visual_ids"][inside]


def whole_chunk(features: dict[str, Any], _: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """All words and clips of a chunk."""
    return features["token_ids"], features["visual_ids"]


def measure(batch: Callable[[int], np.ndarray]) -> tuple[float, float]:
    """Tokens per processor second and the share of positions filled, over at least `SECONDS`."""
    batch(0)
    tokens, positions, step = 0, 0, 0
    start = time.process_time()
    while (elapsed := time.process_time() - start) < SECONDS:
        step += 1
        used = batch(step)
        tokens += int(used.sum())
        positions += used.size
    return tokens / elapsed, tokens / positions


def main(_: list[str]) -> None:
    """Prints the rows of the table in RESULTS.md."""
    logging.set_verbosity(logging.WARNING)
    detailed = "ours, with a feature of each clip"
    pipelines: dict[str, Pipeline] = {
        "ours": functools.partial(ours, TOKENS),
        detailed: functools.partial(ours, DETAILED),
        "peer, a sentence per row": functools.partial(peer, one_sentence),
        "peer, a chunk per row": functools.partial(peer, whole_chunk),
    }
    with tempfile.TemporaryDirectory() as name:
        plain, kept = pathlib.Path(name, "plain"), pathlib.Path(name, "detailed")
        for directory, tokens in ((plain, TOKENS), (kept, DETAILED)):
            directory.mkdir()
            shard = directory / records.shard_name("train", "array_record", 0, 1)
            count = records.write_shard(shard, made_up_records(tokens), "array_record")
            records.write_metadata(directory, {"train": [count]})
        for config, task in CONFIGS:
            rates = {}
            for title, make in pipelines.items():
                rates[title], fill = measure(make(kept if title == detailed else plain, config, task))
                ratio = rates["ours"] / rates[title]
                print(f"| {config.sequence_length} | {title} | {rates[title]:,.0f} | {fill:.1%} | {ratio:.1f} |")


if __name__ == "__main__":
    app.run(main)
