"""Which values of a config make sense: found out before anything takes time, and without JAX.

What only others know stays with them: the names of backbones, and what the devices divide.
"""

import dataclasses
from collections.abc import Iterator

from videobert_jax.config import Config, MeshConfig, flat
from videobert_jax.errors import ConfigError

LARGEST = 2**31 - 1  # counts and seeds become int32


@dataclasses.dataclass(frozen=True)
class Interval:
    """Numbers from `low` to `high`, never NaN; a round bracket leaves out the end that it stands at."""

    low: float
    high: float = LARGEST
    brackets: str = "[]"

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.brackets[0] == "(" else value >= self.low
        below = value < self.high if self.brackets[1] == ")" else value <= self.high
        return above and below

    def __str__(self) -> str:
        return f"a number in {self.brackets[0]}{self.low}, {self.high}{self.brackets[1]}"


class Choice(tuple[str, ...]):
    """One of some names."""

    def __str__(self) -> str:
        return f"one of {', '.join(self)}"


COUNT = Interval(1)
SHARE = Interval(0, 1)
PART = Interval(0, 1, "()")  # a share that leaves something on both sides
WEIGHT = Interval(0, 1_000_000)
SEED = Interval(0)
WORKERS = Interval(0, 1024)  # processes or threads
SIDE = Interval(32, 4096)  # pixels; the kitchen's painter and the backbones need 32

# Every number and every choice; what is true or false, or names a folder, needs no rule.
RULES: dict[str, Interval | Choice] = {
    "steps": COUNT,
    "seed": SEED,
    "log_every": COUNT,
    "kitchen.num_videos": Interval(2, 100_000),  # one to train on, one held out
    "kitchen.seed": SEED,
    "kitchen.width": SIDE,
    "kitchen.height": SIDE,
    "kitchen.fps": Interval(1, 240),
    "kitchen.validation_fraction": PART,
    "prepare.fps": Interval(0.01, 1000),
    "prepare.clip_frames": Interval(1, 10_000),  # most backbones need more
    "prepare.image_size": SIDE,
    "prepare.branching": Interval(2, 65_536),
    "prepare.depth": Interval(1, 16),
    "prepare.vocabulary_memory_mb": Interval(1, 1 << 24),
    "prepare.tokenizer_size": Interval(64, 1_000_000),  # the special tokens, and the letters at and after a start
    "prepare.max_sentence_words": COUNT,
    "prepare.chunk_tokens": COUNT,
    "prepare.videos_per_shard": COUNT,
    "prepare.record_format": Choice(("array_record", "tfrecord")),
    "prepare.validation_fraction": PART,
    "prepare.workers": WORKERS,
    "data.batch_size": COUNT,
    "data.sequence_length": Interval(16, 1_000_000),  # SHORTEST_JOINT of data.sampling
    "data.max_predictions": COUNT,
    "data.max_sequences": COUNT,
    "data.chunks_per_row": COUNT,
    "data.text_only": WEIGHT,
    "data.video_only": WEIGHT,
    "data.joint": WEIGHT,
    "data.misaligned": SHARE,
    "data.misaligned_from": Choice(("other_video", "same_video")),
    "data.concatenate": SHARE,
    "data.max_subsampling": COUNT,
    "data.min_clips": COUNT,
    "data.video_only_tokens": COUNT,
    "data.masking": SHARE,
    "data.mask_video": SHARE,
    "data.read_threads": WORKERS,
    "data.prefetch": Interval(0, 100_000),
    "model.num_layers": Interval(1, 10_000),
    "model.hidden_size": Interval(1, 1_000_000),
    "model.num_heads": Interval(1, 1_000_000),
    "model.mlp_size": Interval(1, 10_000_000),
    "model.max_positions": Interval(16, 1_000_000),
    "model.dropout": Interval(0, 1, "[)"),
    "model.init_std": Interval(0, 10, "(]"),
    "model.dtype": Choice(("float32", "bfloat16")),
    "model.remat": Choice(("none", "dots", "full")),
    "model.attention": Choice(("auto", "xla", "rows", "pallas", "splash", "cudnn")),
    "model.norm": Choice(("post", "pre")),
    "model.positions": Choice(("learned", "rotary")),
    "model.activation": Choice(("gelu", "gelu_tanh")),
    "model.text_rows": Choice(("trained", "frozen")),
    "model.visual_rows": Choice(("frozen", "centroids", "random")),
    "model.visual_scale": Interval(0, 1_000_000, "(]"),
    "model.unroll": COUNT,
    "objective.text": WEIGHT,
    "objective.video": WEIGHT,
    "objective.alignment": WEIGHT,
    "optimizer.name": Choice(("adamw", "lamb", "adafactor", "muon")),
    "optimizer.learning_rate": Interval(0, 10, "(]"),
    "optimizer.warmup_steps": Interval(0),
    "optimizer.weight_decay": Interval(0, 10),
    "optimizer.beta1": Interval(0, 1, "[)"),
    "optimizer.beta2": Interval(0, 1, "[)"),
    "optimizer.epsilon": Interval(1e-30, 1),  # a normal number of float32
    "optimizer.clip_norm": WEIGHT,
    "optimizer.accumulation": COUNT,
    "mesh.data": Interval(-1),
    "mesh.fsdp": Interval(-1),
    "mesh.tensor": Interval(-1),
    "checkpoint.every": COUNT,
    "checkpoint.keep": COUNT,
    "evaluation.every": COUNT,
    "evaluation.batches": COUNT,  # without them there would be no best checkpoint
    "evaluation.storyboards": Interval(0, 1000),
}


def check(config: Config) -> None:
    """Raises ConfigError, a line for each problem, if a value is out of its range or two do not go together."""
    values = flat(config)
    problems = [(key, str(rule)) for key, rule in RULES.items() if values[key] not in rule]
    problems = problems or list(_contradictions(config))  # which take for granted that each value is in its range
    if problems:
        raise ConfigError(
            "\n".join(
                f"config.{key} is {values[key]!r}, expected {expected}; set --config.{key}"
                for key, expected in problems
            )
        )


def _contradictions(config: Config) -> Iterator[tuple[str, str]]:
    """The key of each value that does not go together with others, and what is expected of it."""
    data, model, micro_batches = config.data, config.model, config.optimizer.accumulation
    if (data.transcripts or data.annotations) and not data.videos:
        yield "data.videos", "the folder of the videos that data.transcripts and data.annotations are about"
    if config.prepare.backbone == "precomputed" and not data.videos:
        yield "data.videos", "the folder of the precomputed features"
    if data.sequence_length > model.max_positions:
        yield "data.sequence_length", f"at most model.max_positions, which is {model.max_positions}"
    if model.hidden_size % model.num_heads:
        yield "model.num_heads", f"a divisor of model.hidden_size, which is {model.hidden_size}"
    if model.init_from and not config.prepare.tokenizer:
        yield "prepare.tokenizer", "the tokenizer of model.init_from, which is often the same folder"
    if model.text_rows == "frozen" and not model.init_from:
        yield "model.text_rows", "'trained' where model.init_from names no words to freeze"
    if data.batch_size % micro_batches:
        yield "data.batch_size", f"a multiple of optimizer.accumulation, which is {micro_batches}"
    if not data.text_only + data.video_only + data.joint:
        yield "data.joint", "more than 0 where data.text_only and data.video_only are 0"
    if not config.objective.text + config.objective.video + config.objective.alignment:
        yield "objective.text", "more than 0 where objective.video and objective.alignment are 0"
    for side in ("width", "height"):
        if getattr(config.kitchen, side) % 2:
            yield f"kitchen.{side}", "an even number, as yuv420p video needs"
    if config.evaluation.template.count("[MASK]") != 2:
        yield "evaluation.template", "a sentence with two [MASK], for the verb and the object"
    yield from _mesh_contradictions(config.mesh)


def _mesh_contradictions(mesh: MeshConfig) -> Iterator[tuple[str, str]]:
    sizes = dataclasses.asdict(mesh)
    for axis, size in sizes.items():
        if size == 0:
            yield f"mesh.{axis}", "at least 1, or -1 to take the rest of the devices"
    rest = [axis for axis, size in sizes.items() if size == -1]
    for axis in rest[1:]:
        yield f"mesh.{axis}", f"at least 1, as mesh.{rest[0]} takes the rest of the devices already"
