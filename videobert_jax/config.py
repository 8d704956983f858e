"""What a run is: frozen dataclasses inside, a ConfigDict at the edge.

A file in `configs/` returns a `ConfigDict`, so that every value can be overridden from the command line
(``--config.model.num_layers=2``). `from_config_dict` turns it into the typed, frozen `Config` that the program reads;
an unknown key or a value of the wrong type fails there; `config_check.check` knows which values make sense. Field
defaults are the values of the VideoBERT paper where it names one.
"""

import dataclasses
import difflib
import json
import pathlib
import typing
from typing import Any, TypeVar

from ml_collections import ConfigDict

from videobert_jax.errors import ConfigError

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class KitchenConfig:
    """The rendered corpus that stands in when no videos are named."""

    num_videos: int = 360
    seed: int = 0
    width: int = 128
    height: int = 128
    fps: float = 10.0
    validation_fraction: float = 0.2  # share of the videos that are held out


@dataclasses.dataclass(frozen=True)
class PrepareConfig:
    """Raw video and transcripts to records, once."""

    fps: float = 20.0  # frames sampled per second of video (paper: 20)
    clip_frames: int = 30  # frames per clip; one clip becomes one visual token (paper: 30, 1.5 s)
    backbone: str = "efficientnet_lite0"
    backbone_weights: str = ""  # file of "s3d" and "s3dg", folder of "transformers"; the others bring their weights
    image_size: int = 128  # pixels; frames are resized to a square of this side
    branching: int = 12  # k of the hierarchical k-means (paper: 12)
    depth: int = 4  # d of the hierarchical k-means (paper: 4)
    vocabulary_memory_mb: int = 2048  # mebibytes for fitting it; what takes more is streamed from disk and sampled
    tokenizer: str = ""  # folder of a Hugging Face tokenizer; empty: train WordPiece on the corpus
    tokenizer_size: int = 4096  # largest size of a trained WordPiece vocabulary
    max_sentence_words: int = 24  # unpunctuated speech is cut at the latest here
    sentence_splitter: str = ""  # package.module:function that tells where unpunctuated sentences end; empty: our rules
    chunk_tokens: int = 256  # a record holds about this many text + visual tokens
    videos_per_shard: int = 256  # that are worked on together, and end in one file of records
    record_format: str = "array_record"  # or "tfrecord"
    validation_fraction: float = 0.05  # held-out share where no annotation file names the split
    workers: int = 0  # processes; 0: one per core


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Records to batches, every step."""

    videos: str = ""  # folder of videos, or of precomputed features, .vtt/.srt beside them; empty: the kitchen corpus
    transcripts: str = ""  # folder of transcripts that lie elsewhere, or one file of many, as HowTo100M's captions
    annotations: str = ""  # file or folder of split and captions; empty: annotations.json in `videos`, if it is there
    cache: str = "cache"  # folder for the corpus and everything prepared
    batch_size: int = 128  # rows of the global batch
    sequence_length: int = 512
    max_predictions: int = 80  # K, masked positions per row
    max_sequences: int = 16  # N, packed sequences per row
    chunks_per_row: int = 4  # records that one row draws its sequences from
    text_only: float = 1.0  # the mix of modes, as relative weights
    video_only: float = 1.0
    joint: float = 2.0
    misaligned: float = 0.5  # share of the joint sequences whose text comes from another chunk
    misaligned_from: str = "other_video"  # or "same_video"
    concatenate: float = 0.5  # probability of each further neighbouring sentence (paper: "randomly")
    max_subsampling: int = 5  # visual tokens are subsampled at a rate of 1 to this (paper: 5)
    min_clips: int = 1  # that a joint sequence keeps when it is subsampled, if it has them (paper: unknown)
    video_only_tokens: int = 16  # visual tokens of a video-only sequence (paper: 16)
    masking: float = 0.15
    mask_video: float = 0.0  # share of the joint sequences whose visual words are all masked (paper: none)
    mask_joint: bool = True  # mask joint sequences too (paper's figure), or train alignment alone on them (its text)
    mask_misaligned: bool = False  # predict masked tokens of misaligned sequences
    read_threads: int = 2
    prefetch: int = 8  # batches read ahead


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """BERT over the joint vocabulary (Devlin et al. 2019; VideoBERT section 3.2). Defaults: BERT-large."""

    num_layers: int = 24
    hidden_size: int = 1024
    num_heads: int = 16
    mlp_size: int = 4096
    max_positions: int = 512
    dropout: float = 0.1
    # Standard deviation of the first weights and embeddings. BERT's is about 1 / sqrt(hidden_size) at its width; a much
    # narrower model that starts as small takes long to find out that the video tells anything about the words.
    init_std: float = 0.02
    dtype: str = "bfloat16"  # of activations; parameters and softmax are float32
    remat: str = "none"  # what the backward pass computes again: "none", all but matrix products ("dots"), or "full"
    attention: str = "auto"  # the best for the hardware; or "xla", "rows", "pallas", "splash", "cudnn"
    norm: str = "post"  # normalise after each residual sum, or "pre": before each branch, and once at the end
    positions: str = "learned"  # a table of `max_positions`, or "rotary": queries and keys are turned
    activation: str = "gelu"  # by the error function, or "gelu_tanh"
    gated: bool = False  # GELU of one product times another (GeGLU) in place of a GELU; has three kernels for two
    use_bias: bool = True  # in the encoder's products and every normalisation
    init_from: str = ""  # folder of a Hugging Face BERT that the text side starts from; empty: at random
    # Rows of the words in the embedding table, which the prediction head is tied to: "trained", or "frozen" as in
    # `init_from`; the head's bias and transform are trained all the same.
    text_rows: str = "trained"
    # Rows of the visual words in that table: "frozen" at the projected centroids (paper), "centroids": initialised from
    # them and trained, or "random" and trained.
    visual_rows: str = "frozen"
    # Their values are so many times as large as the words' first ones. A random row grows, when it is trained, above
    # the position and the segment that are added to it; a frozen one has to stand out from the start.
    visual_scale: float = 4.0
    unroll: int = 1  # layers per turn of the scan; all of them runs faster on a CPU, fewer compile faster


@dataclasses.dataclass(frozen=True)
class ObjectiveConfig:
    """Weights of the summed losses; the paper publishes none."""

    text: float = 1.0  # masked words
    video: float = 1.0  # masked visual words
    alignment: float = 1.0


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """The optimizer, with linear warm-up and linear decay to zero."""

    name: str = "adamw"  # or "lamb", "adafactor" (which has no use for betas), "muon" (with AdamW's learning rates)
    learning_rate: float = 1e-5
    warmup_steps: int = 0
    weight_decay: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-6
    clip_norm: float = 1.0  # 0: no clipping
    accumulation: int = 1  # micro-batches per step


@dataclasses.dataclass(frozen=True)
class MeshConfig:
    """Devices along each axis of the mesh; one axis may be -1, which takes the rest."""

    data: int = -1
    fsdp: int = 1
    tensor: int = 1


@dataclasses.dataclass(frozen=True)
class CheckpointConfig:
    """When the state is saved, and how long it is kept."""

    every: int = 1000  # steps
    keep: int = 2  # newest checkpoints; the best one is kept besides
    metric: str = "held_out/loss"  # evaluator/metric that says which is the best: the lowest


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """What the model is asked about held-out videos."""

    every: int = 1000  # steps between evaluations on held-out batches
    batches: int = 8  # held-out batches in each
    template: str = "now let me show you how to [MASK] the [MASK]"
    storyboards: int = 6  # of each kind in the report


@dataclasses.dataclass(frozen=True)
class HeldOutConfig:
    """The objective's metrics on held-out batches."""

    every: int = 1000
    batches: int = 8


@dataclasses.dataclass(frozen=True)
class ZeroShotConfig:
    """The cloze."""

    every: int = 0
    template: str = ""


@dataclasses.dataclass(frozen=True)
class Config:
    """A whole run."""

    steps: int = 500_000
    seed: int = 0
    log_every: int = 10  # steps
    kitchen: KitchenConfig = KitchenConfig()
    prepare: PrepareConfig = PrepareConfig()
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    mesh: MeshConfig = MeshConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    evaluation: EvaluationConfig = EvaluationConfig()

    @property
    def report(self) -> EvaluationConfig:
        """The report."""
        return self.evaluation

    @property
    def evaluators(self) -> dict[str, Any]:
        """By name."""
        e = self.evaluation
        return {"held_out": HeldOutConfig(e.every, e.batches), "zero_shot": ZeroShotConfig(0, e.template)}


def to_config_dict(config: Config) -> ConfigDict:
    """The same values as a `ConfigDict`, for `configs/` and the command line."""
    return ConfigDict(dataclasses.asdict(config))


def from_config_dict(values: ConfigDict) -> Config:
    """The typed, frozen form. Raises ConfigError that names the key for an unknown key or a wrong type."""
    return _build(Config, values.to_dict(), "config")


def to_json(config: Config) -> str:
    """The text that `load` reads."""
    return json.dumps(dataclasses.asdict(config), indent=2) + "\n"


def load(path: pathlib.Path) -> Config:
    """Reads a file of what `to_json` gives. Raises ConfigError as `from_config_dict` does, and if it is damaged."""
    try:
        values = json.loads(path.read_text())
    except ValueError as error:
        raise ConfigError(f"{path} is no JSON ({error}); expected the config that a run wrote") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds {type(values).__name__}, expected an object")
    return _build(Config, values, str(path))


def flat(section: Any, prefix: str = "") -> dict[str, Any]:
    """The values of a config, or of a section of it, by their dotted keys, such as "model.num_layers"."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(section):
        key, value = prefix + field.name, getattr(section, field.name)
        values |= flat(value, f"{key}.") if dataclasses.is_dataclass(value) else {key: value}
    return values


def require_key(key: str) -> None:
    """Raises ConfigError unless a config has the dotted `key`, be it of a value or of a section."""
    kind: type = Config
    where = "config"
    for name in key.split("."):
        kind, where = _field_type(kind, name, where), f"{where}.{name}"


def _field_type(kind: type, name: str, where: str) -> type:
    types = typing.get_type_hints(kind) if dataclasses.is_dataclass(kind) else {}
    if name in types:
        return types[name]
    if not types:
        raise ConfigError(f"{where} is a single value; it has no key {name!r}")
    elsewhere = [f"config.{key}" for key in flat(Config()) if key.split(".")[-1] == name]
    meant = elsewhere or [f"{where}.{close}" for close in difflib.get_close_matches(name, types, n=1)]
    hint = f"did you mean {' or '.join(meant)}? The" if meant else "the"
    raise ConfigError(f"{where} has no key {name!r}; {hint} keys are {', '.join(sorted(types))}")


def _build(kind: type[T], values: dict[str, Any], where: str) -> T:
    return kind(
        **{name: _convert(_field_type(kind, name, where), value, f"{where}.{name}") for name, value in values.items()}
    )


def _convert(kind: type, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        return _build(kind, value, where)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        expected = "a section of keys" if dataclasses.is_dataclass(kind) else f"a value of type {kind.__name__}"
        raise ConfigError(f"{where} is {value!r}, expected {expected}")
    return value
