"""The sections of the rendered corpus and of data preparation."""

import dataclasses

from videobert_jax.config.rules import COUNT, PART, PART_OR_NONE, SEED, SIDE, WORKERS, Choice, Interval, setting


@dataclasses.dataclass(frozen=True)
class KitchenConfig:
    """The rendered corpus, used if `data.videos` is empty."""

    num_videos: int = setting(360, Interval(2, 100_000))  # at least one to train on and one held out
    seed: int = setting(0, SEED)
    width: int = setting(128, SIDE)
    height: int = setting(128, SIDE)
    fps: float = setting(10.0, Interval(1, 240))
    validation_fraction: float = setting(0.2, PART)  # share of the videos to hold out


@dataclasses.dataclass(frozen=True)
class PrepareConfig:
    """Preparing records from raw videos and transcripts."""

    fps: float = setting(20.0, Interval(0.01, 1000))  # frames sampled per second of video (paper: 20)
    # Frames per clip; one clip becomes one visual token (paper: 30, 1.5 s). Most backbones need more than one.
    clip_frames: int = setting(30, Interval(1, 10_000))
    clip_step: int = setting(0, Interval(0, 10_000))  # frames from one clip's start to the next's; 0: clip_frames
    # Part of each frame that is seen, "left,top,right,bottom" as fractions of its sides, or a JSON file with such a
    # text for each video id; empty: all of it.
    crop: str = ""
    backbone: str = "efficientnet_lite0"
    # A file for "s3d", "s3dg" and "resnet..."; a folder for "transformers"; the others include their weights.
    backbone_weights: str = ""
    image_size: int = setting(128, SIDE)  # pixels; frames are resized to a square of this size
    # Features of an image network also show the whole frame, beside a close-up of its centre and what moves. Visual
    # words leave that part out: where many things lie about, few clips would share a word.
    whole_frame: bool = False
    # What visual words tell apart: motion at the first level and appearance below it, or one of them. Only features of
    # "efficientnet_lite0" and "pixels" separate the two.
    distinguish: str = setting("both", Choice(("both", "motion", "appearance")))
    branching: int = setting(12, Interval(2, 65_536))  # k of the hierarchical k-means (paper: 12)
    depth: int = setting(4, Interval(1, 16))  # d of the hierarchical k-means (paper: 4)
    # Numbers of each clip's feature to keep in the records, for `model.visual_input`; 0: the visual word is all.
    feature_size: int = setting(0, Interval(0, 65_536))
    # Further words of a clip, which describe what its visual word leaves out of its feature.
    codebooks: int = setting(0, Interval(0, 64))
    codebook_size: int = setting(256, Interval(2, 65_536))
    # How: each word describes what the words before it leave over, or a part of the feature's columns of its own.
    quantisation: str = setting("residual", Choice(("residual", "product")))
    # Mebibytes for fitting the vocabulary; more features than that are streamed from disk and sampled.
    vocabulary_memory_mb: int = setting(2048, Interval(1, 1 << 24))
    tokenizer: str = ""  # folder of a Hugging Face tokenizer; empty: train WordPiece on the corpus
    # Maximum size of a trained WordPiece vocabulary, including special tokens and letters (initial and continuing).
    tokenizer_size: int = setting(4096, Interval(64, 1_000_000))
    max_sentence_words: int = setting(24, COUNT)  # maximum length of sentences cut from unpunctuated speech
    sentence_splitter: str = ""  # package.module:function that splits unpunctuated speech; empty: built-in rules
    chunk_tokens: int = setting(256, COUNT)  # approximate number of text and visual tokens per record
    videos_per_shard: int = setting(256, COUNT)  # videos processed together and stored in one file of records
    record_format: str = setting("array_record", Choice(("array_record", "tfrecord")))
    validation_fraction: float = setting(0.05, PART)  # share of the videos to hold out if no annotations define a split
    # Number of augmented views of each training video, which are trained on beside it. How much the pictures and the
    # speed of a view are changed is drawn from (view_seed, video, view), within the limits below.
    views: int = setting(0, Interval(0, 1000))
    view_seed: int = setting(0, SEED)
    view_crop: float = setting(0.0, Interval(0, 0.5))  # share of the width and of the height that is cut off
    view_scale: float = setting(1.0, Interval(1, 2))  # factor by which pictures are larger or smaller
    view_rotation: float = setting(0.0, Interval(0, 180))  # degrees, to either side
    view_flip: bool = False  # mirror every other view, unless the words of its video say left or right
    view_colour: float = setting(0.0, PART_OR_NONE)  # by which brightness, contrast and saturation differ from 1
    view_speed: float = setting(1.0, Interval(1, 4))  # factor by which a view is faster or slower
    workers: int = setting(0, WORKERS, may_change=True)  # processes; 0: one per core

    @property
    def clip_seconds(self) -> float:
        """Length of a clip."""
        return self.clip_frames / self.fps

    @property
    def changes_views(self) -> bool:
        """Whether views differ from the videos."""
        factors = self.view_scale > 1, self.view_speed > 1
        return self.view_flip or any((self.view_crop, self.view_rotation, self.view_colour, *factors))

    @property
    def clip_step_seconds(self) -> float:
        """From the start of a clip to that of the next; 0: `clip_seconds`."""
        return self.clip_step / self.fps
