"""A video file to segments, the short way: what `prepare` does to each video of a corpus, to one file and in memory.

The sentences and their ids are those that `prepare` writes. So are the visual words, as long as the features are equal:
`prepare` computes them on one core of a CPU, this module on whatever devices and cores JAX uses here, and changes no
setting of the process. With two threads all features were equal, with eight one value in 700,000 differed in the last
bit of its float16, with unoptimised machine code one in 250; of 251 clips none got another visual word.

Memory grows with the features and thumbnails, for the default backbone about 20 kB a clip while it works; one batch of
clips is decoded at a time.
"""

import functools
import pathlib

import numpy as np

from videobert_jax.backbones import get_backbone
from videobert_jax.config import PrepareConfig
from videobert_jax.data.records import ClipDetails, Record
from videobert_jax.data.segments import Segment, windows
from videobert_jax.errors import SilentError, TranscriptError, VideoError
from videobert_jax.prepare.chunks import whole_video
from videobert_jax.prepare.scan import transcript_beside
from videobert_jax.progress import progress
from videobert_jax.speech.narration import understand
from videobert_jax.speech.read import read_transcript
from videobert_jax.speech.sentences import Sentence, configured_split
from videobert_jax.tokenizer import TextTokenizer
from videobert_jax.video import feature_files
from videobert_jax.video.features import clips_of, count_clips, embed_clips
from videobert_jax.visual_words.details import Details
from videobert_jax.visual_words.vocabulary import Vocabulary


def watch(
    video: pathlib.Path,
    transcript: pathlib.Path | None,
    config: PrepareConfig,
    vocabulary: Vocabulary,
    words: TextTokenizer,
    details: Details | None = None,
    clips_per_segment: int | None = None,
) -> list[Segment]:
    """Consecutive segments that hold all clips and all sentences of a video, each once; see `data.segments.windows`.

    Args:
      video: a video file, or a file of features where `config.backbone` is "precomputed"; its name without the suffix
        becomes the video's id.
      transcript: what is said, perhaps nothing; None: the transcript that `prepare` would find beside the video, if
        there is one.
      config: what the model's data were prepared with.
      vocabulary: the model's visual words.
      words: the model's tokenizer.
      details: what the model knows of clips besides their words, if it does.
      clips_per_segment: at most; None: the whole video is one segment.

    Raises:
      VideoError: if the file is missing, is no video, is shorter than a clip, or has features of another kind.
      TranscriptError: if the transcript cannot be read, or is an empty file.
      ConfigError: if the backbone's weights, or the module of the sentence splitter, are not where `config` says.
      ValueError: if `clips_per_segment` is less than 1.
    """
    return windows(watch_whole(video, transcript, config, vocabulary, words, details), clips_per_segment)


def watch_whole(
    video: pathlib.Path,
    transcript: pathlib.Path | None,
    config: PrepareConfig,
    vocabulary: Vocabulary,
    words: TextTokenizer,
    details: Details | None = None,
) -> Record:
    """The record of a whole video, without captions; see `watch` for arguments and errors."""
    sentences = _sentences(video, transcript, config)
    visual_ids, known = see(video, config, vocabulary, details)
    lengths = config.clip_seconds, config.clip_step_seconds
    return whole_video(video.stem, visual_ids, lengths[0], sentences, (), words.encode, lengths[1], known)


def _sentences(video: pathlib.Path, named: pathlib.Path | None, config: PrepareConfig) -> tuple[Sentence, ...]:
    path = named or (transcript_beside(video) if video.is_file() else None)
    if path is None:
        return ()
    try:
        return understand(functools.partial(read_transcript, path), configured_split(config)).sentences
    except SilentError:
        return ()
    except TranscriptError as error:
        expected = "WebVTT, SubRip, json3 or a table with speech: name another transcript, or remove this one"
        raise TranscriptError(f"{path}: {error}; expected {expected}") from error


def see(
    video: pathlib.Path, config: PrepareConfig, vocabulary: Vocabulary, details: Details | None
) -> tuple[np.ndarray, ClipDetails | None]:
    """The visual words of a video's clips, int32 [n], and their details; see `watch` for arguments and errors."""
    get_backbone(config.backbone).check(config.clip_frames, config.image_size, config.backbone_weights)
    try:
        clips = progress(clips_of(video, config), count_clips(video, config), f"watching {video.name}", "clip")
        features = embed_clips(clips, config).features
    except VideoError as error:
        raise VideoError(video, f"{error.reason}; expected {_expected(config)}: name another file") from error
    try:
        visual_ids = vocabulary.assign(features)
    except ValueError as error:
        advice = "use the backbone, the weights or the kind of files that the model's data were prepared with"
        raise VideoError(video, f"{error}: {advice}") from error
    return visual_ids, None if details is None else details(features, visual_ids)


def _expected(config: PrepareConfig) -> str:
    if config.backbone == feature_files.BACKBONE:
        return f"an .npy or .npz file of features with at least {config.clip_frames} rows"
    return f"a video of at least {config.clip_frames / config.fps:.2f} s that FFmpeg decodes"
