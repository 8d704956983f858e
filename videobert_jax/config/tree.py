"""The whole config. Defaults are the VideoBERT paper's values, where it gives them."""

import dataclasses
from collections.abc import Mapping

from videobert_jax.config.evaluators import EvaluatorConfig, default_evaluators
from videobert_jax.config.prepare import KitchenConfig, PrepareConfig
from videobert_jax.config.rules import (
    COUNT,
    MAY_CHANGE,
    PART_OR_NONE,
    SEED,
    SHARE,
    WEIGHT,
    WORKERS,
    Choice,
    Interval,
    setting,
)
from videobert_jax.config.tasks import PretrainingConfig, TaskConfig

REMAT_POLICIES = Choice(("none", "dots", "full"))


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """The locations of the data and the batching of records, for any task."""

    videos: str = ""  # folder of videos or precomputed features, and transcripts; empty: the kitchen corpus
    transcripts: str = ""  # another folder of transcripts, or one file of many, such as HowTo100M's captions
    annotations: str = ""  # file or folder with splits and captions; empty: annotations.json in `videos`, if it exists
    cache: str = setting("cache", may_change=True)  # folder for the kitchen corpus and all prepared data
    batch_size: int = setting(128, COUNT)  # rows of the global batch
    sequence_length: int = setting(512, Interval(16, 1_000_000))  # at least SHORTEST_JOINT of data.sampling
    max_sequences: int = setting(16, COUNT)  # N, packed sequences per row
    # Augmentation of training rows: the share of visual words that are replaced by a neighbour, which has the same
    # parent in the tree of visual words, and the shares of words and of clips that are left out.
    neighbours: float = setting(0.0, SHARE)
    drop_words: float = setting(0.0, PART_OR_NONE)
    drop_clips: float = setting(0.0, PART_OR_NONE)
    read_threads: int = setting(2, WORKERS, may_change=True)
    prefetch: int = setting(8, Interval(0, 100_000), may_change=True)  # batches read ahead


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """BERT over the joint vocabulary (Devlin et al. 2019; VideoBERT, section 3.2). Defaults: BERT-large."""

    num_layers: int = setting(24, Interval(1, 10_000))
    hidden_size: int = setting(1024, Interval(1, 1_000_000))
    num_heads: int = setting(16, Interval(1, 1_000_000))
    mlp_size: int = setting(4096, Interval(1, 10_000_000))
    max_positions: int = setting(512, Interval(16, 1_000_000))
    dropout: float = setting(0.1, Interval(0, 1, "[)"))
    # Standard deviation of initial weights and embeddings. BERT's is about 1 / sqrt(hidden_size) at its width; with as
    # small a value, a much narrower model learns only slowly that the video is informative about the words.
    init_std: float = setting(0.02, Interval(0, 10, "(]"))
    dtype: str = setting("bfloat16", Choice(("float32", "bfloat16")))  # of activations; the rest is float32
    # What the backward pass recomputes: nothing, everything except matrix products ("dots"), or everything.
    remat: str = setting("none", REMAT_POLICIES, may_change=True)
    # "auto": the fastest for the hardware.
    attention: str = setting("auto", Choice(("auto", "xla", "rows", "pallas", "splash", "cudnn")), may_change=True)
    # Normalise after each residual sum, or before each branch and once at the end.
    norm: str = setting("post", Choice(("post", "pre")))
    # A table of `max_positions` vectors, or "rotary" embedding of queries and keys.
    positions: str = setting("learned", Choice(("learned", "rotary")))
    activation: str = setting("gelu", Choice(("gelu", "gelu_tanh")))  # exact, or the tanh approximation
    gated: bool = False  # GEGLU instead of GELU, with three kernels instead of two
    use_bias: bool = True  # in the encoder's products and every normalisation
    # Word rows of the embedding table, which the prediction head is tied to: "trained", or "frozen" at the values of
    # `init_from`; the head's bias and transform are always trained.
    text_rows: str = setting("trained", Choice(("trained", "frozen")))
    # Visual word rows of that table: "frozen" at the projected centroids (paper), initialised from them and trained
    # ("centroids"), or initialised at random and trained ("random").
    visual_rows: str = setting("frozen", Choice(("frozen", "centroids", "random")))
    # Ratio of their initial scale to that of word rows. Training makes random rows outgrow the position and segment
    # embeddings that are added to them; frozen rows have to be large from the start.
    visual_scale: float = setting(4.0, Interval(0, 1_000_000, "(]"))
    # What is read of a clip: its visual word (paper), that and the vectors of its further words ("codes"), its feature
    # in place of the word, or both word and feature. "codes" need `prepare.codebooks`, features `prepare.feature_size`.
    # Targets are visual words in any case.
    visual_input: str = setting("words", Choice(("words", "codes", "features", "both")))
    # Standard deviation of noise that training adds to features, whose own is 1 on average, and to what words tell of
    # them: a corpus of a few hundred videos is not learnt by heart so soon.
    feature_noise: float = setting(0.0, WEIGHT)
    # How words and clips meet: in one encoder ("joint", the paper's), or after an encoder each, by an MLP ("late") or a
    # layer of attention to the other modality ("cross").
    fusion: str = setting("joint", Choice(("joint", "late", "cross")))
    # Layers per iteration of the scan; unrolling all runs faster on a CPU, fewer compile faster.
    unroll: int = setting(1, COUNT, may_change=True)


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """The optimizer, with linear warm-up."""

    # "adafactor" ignores the betas; "muon" uses AdamW's learning rates.
    name: str = setting("adamw", Choice(("adamw", "lamb", "adafactor", "muon")))
    learning_rate: float = setting(1e-5, Interval(0, 10, "(]"))
    warmup_steps: int = setting(0, Interval(0))
    # Course of the learning rate after the warm-up: a line or half a cosine down to zero, or constant.
    schedule: str = setting("linear", Choice(("linear", "cosine", "constant")))
    # Ratio of the updates of each layer to those of the next; the embeddings are below the first layer, and heads have
    # the full rate. Lower layers of a pretrained trunk change less. 1: all layers have the same rate.
    layer_decay: float = setting(1.0, Interval(0, 1, "(]"))
    weight_decay: float = setting(0.01, Interval(0, 10))
    beta1: float = setting(0.9, Interval(0, 1, "[)"))
    beta2: float = setting(0.999, Interval(0, 1, "[)"))
    epsilon: float = setting(1e-6, Interval(1e-30, 1))  # a normal float32 number
    clip_norm: float = setting(1.0, WEIGHT)  # 0: no clipping
    accumulation: int = setting(1, COUNT, may_change=True)  # micro-batches per step


@dataclasses.dataclass(frozen=True)
class MeshConfig:
    """Devices along each axis of the mesh; one axis may be -1, which takes the rest."""

    data: int = setting(-1, Interval(-1))
    fsdp: int = setting(1, Interval(-1))
    tensor: int = setting(1, Interval(-1))


@dataclasses.dataclass(frozen=True)
class CheckpointConfig:
    """When checkpoints are saved, and which are kept."""

    every: int = setting(1000, COUNT)  # steps
    keep: int = setting(2, COUNT)  # newest checkpoints, in addition to the best one
    metric: str = "held_out/loss"  # evaluator/metric that ranks checkpoints; empty: none is kept as the best
    best: str = setting("lowest", Choice(("lowest", "highest")))  # value of that metric
    # The checkpoint that is evaluated at the end, loaded, and used by `init_from`; "best" needs `metric`.
    used: str = setting("newest", Choice(("newest", "best")))
    # Training ends early after this many checkpoints in a row without a new best one; 0: never.
    patience: int = setting(0, Interval(0))


@dataclasses.dataclass(frozen=True)
class ReportConfig:
    """The content of the report."""

    storyboards: int = setting(6, Interval(0, 1000))  # of each kind


@dataclasses.dataclass(frozen=True)
class Config:
    """The config of a run."""

    # If a resumed run changes it, the learning rate follows the new schedule from there on.
    steps: int = setting(500_000, COUNT, may_change=True)
    seed: int = setting(0, SEED)
    log_every: int = setting(10, COUNT, may_change=True)  # steps
    # Python modules that add to the tables of tasks and evaluators, separated by commas; imported before the rest of a
    # config is read.
    modules: str = setting("", may_change=True)
    # Workdir of a run whose parameters, words and visual words this one starts from; or, with `prepare.tokenizer`, the
    # folder of a Hugging Face BERT that initialises the text side. Empty: random.
    init_from: str = ""
    kitchen: KitchenConfig = dataclasses.field(default_factory=KitchenConfig)
    prepare: PrepareConfig = dataclasses.field(default_factory=PrepareConfig)
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    task: TaskConfig = dataclasses.field(default_factory=PretrainingConfig)
    optimizer: OptimizerConfig = OptimizerConfig()
    mesh: MeshConfig = dataclasses.field(default=MeshConfig(), metadata=MAY_CHANGE)
    checkpoint: CheckpointConfig = dataclasses.field(default=CheckpointConfig(), metadata=MAY_CHANGE)
    evaluators: Mapping[str, EvaluatorConfig] = dataclasses.field(
        default_factory=default_evaluators, metadata=MAY_CHANGE
    )
    report: ReportConfig = dataclasses.field(default=ReportConfig(), metadata=MAY_CHANGE)
