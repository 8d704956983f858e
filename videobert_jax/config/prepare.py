"""What is prepared before training, and from what."""

import dataclasses

from videobert_jax.config.rules import COUNT, PART, SEED, SIDE, WORKERS, Choice, Interval, setting


@dataclasses.dataclass(frozen=True)
class KitchenConfig:
    """The rendered corpus that stands in when no videos are named."""

    num_videos: int = setting(360, Interval(2, 100_000))  # one to train on, one held out
    seed: int = setting(0, SEED)
    width: int = setting(128, SIDE)
    height: int = setting(128, SIDE)
    fps: float = setting(10.0, Interval(1, 240))
    validation_fraction: float = setting(0.2, PART)  # share of the videos that are held out


@dataclasses.dataclass(frozen=True)
class PrepareConfig:
    """Raw video and transcripts to records, once."""

    fps: float = setting(20.0, Interval(0.01, 1000))  # frames sampled per second of video (paper: 20)
    # Frames per clip; one clip becomes one visual token (paper: 30, 1.5 s). Most backbones need more than one.
    clip_frames: int = setting(30, Interval(1, 10_000))
    backbone: str = "efficientnet_lite0"
    backbone_weights: str = ""  # file of "s3d" and "s3dg", folder of "transformers"; the others bring their weights
    image_size: int = setting(128, SIDE)  # pixels; frames are resized to a square of this side
    branching: int = setting(12, Interval(2, 65_536))  # k of the hierarchical k-means (paper: 12)
    depth: int = setting(4, Interval(1, 16))  # d of the hierarchical k-means (paper: 4)
    # Mebibytes for fitting it; what takes more is streamed from disk and sampled.
    vocabulary_memory_mb: int = setting(2048, Interval(1, 1 << 24))
    tokenizer: str = ""  # folder of a Hugging Face tokenizer; empty: train WordPiece on the corpus
    # Largest size of a trained WordPiece vocabulary. It holds the special tokens, and the letters at and after a start.
    tokenizer_size: int = setting(4096, Interval(64, 1_000_000))
    max_sentence_words: int = setting(24, COUNT)  # unpunctuated speech is cut at the latest here
    sentence_splitter: str = ""  # package.module:function that tells where unpunctuated sentences end; empty: our rules
    chunk_tokens: int = setting(256, COUNT)  # a record holds about this many text + visual tokens
    videos_per_shard: int = setting(256, COUNT)  # that are worked on together, and end in one file of records
    record_format: str = setting("array_record", Choice(("array_record", "tfrecord")))
    validation_fraction: float = setting(0.05, PART)  # held-out share where no annotation file names the split
    workers: int = setting(0, WORKERS, may_change=True)  # processes; 0: one per core
