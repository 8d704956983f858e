"""What each backbone costs an hour of video, and what its features and visual words keep of it.

A collection has no labels, but most have speech. So the test is which words are said around a clip: a linear probe
learns it on some of the videos and is judged on others, from a backbone's features, and from the visual words that
they are reduced to. All backbones see the same stretches of the same videos.
"""

import dataclasses
import functools
import itertools
import pathlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from videobert_jax.backbones import get_backbone
from videobert_jax.config import PrepareConfig
from videobert_jax.errors import ConfigError, PrepareError, TranscriptError, VideoError
from videobert_jax.evaluation.linear_probe import chance, ridge_scores
from videobert_jax.evaluation.spoken_words import FEWEST_CLIPS, LARGEST_SHARE, frequent_words, said_around
from videobert_jax.metrics.labels import mean_average_precision
from videobert_jax.prepare.factors import factors
from videobert_jax.prepare.scan import Source, scan
from videobert_jax.progress import progress
from videobert_jax.speech.read import read_transcript
from videobert_jax.speech.transcripts import Word
from videobert_jax.video.feature_files import BACKBONE as PRECOMPUTED
from videobert_jax.video.features import BATCH_CLIPS, clips_of, embed_clips, use_one_core
from videobert_jax.visual_words import vocabulary
from videobert_jax.workers import share_out

SPEC = re.compile(r"(?P<name>\w+)(?:@(?P<size>\d+))?(?::(?P<weights>.+))?")
CLIP_FRAMES = 30  # as in the paper; more where a backbone sees more
JUDGED = 3  # one of so many videos is judged on
FEWEST_VIDEOS = 3
SEED = 0


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A backbone with its settings; `label` is what the user wrote."""

    label: str
    config: PrepareConfig


@dataclasses.dataclass(frozen=True)
class Measured:
    """One video through one backbone."""

    features: np.ndarray  # float16 [clips, D]
    seconds: float  # of processor time, for decoding, features and thumbnails


@dataclasses.dataclass(frozen=True)
class Row:
    """What is said of a backbone."""

    label: str
    seconds: float  # of processor time for an hour of video
    width: int  # of a feature
    features: float  # mean average precision from features
    words: float  # the same from visual words


@dataclasses.dataclass(frozen=True)
class Comparison:
    """All that is said."""

    rows: tuple[Row, ...]
    chance: float  # mean average precision of a random order
    words: tuple[str, ...]  # which the probe is asked for, the most frequent first
    learned: int  # clips
    judged: int  # clips of other videos
    dropped: Mapping[str, str]  # why videos were left out, by name


def candidates(text: str, clip_seconds: float) -> list[Candidate]:
    """Parses NAME[@PIXELS][:WEIGHTS],...; frames are as many and as large as suits each. Raises ConfigError."""
    found = [_candidate(part, clip_seconds) for part in filter(None, text.split(","))]
    if not found:
        raise ConfigError(f"--backbones is {text!r}, expected NAME[@PIXELS][:WEIGHTS],... such as efficientnet_lite0")
    return found


def _candidate(text: str, clip_seconds: float) -> Candidate:
    match = SPEC.fullmatch(text)
    if not match:
        raise ConfigError(f"--backbones holds {text!r}, expected NAME[@PIXELS][:WEIGHTS]")
    name, weights = match["name"], match["weights"] or ""
    if name == PRECOMPUTED:
        raise ConfigError(f"--backbones holds {name}, which sees no video; name one that does")
    try:
        backbone = get_backbone(name)
        least, best = backbone.suits(weights)
        frames, size = max(CLIP_FRAMES, least), int(match["size"] or best)
        backbone.check(frames, size, weights)
    except ConfigError as error:
        raise ConfigError(f"--backbones holds {text!r}, where weights follow a colon: {error}") from error
    return Candidate(
        text,
        PrepareConfig(
            fps=frames / clip_seconds, clip_frames=frames, backbone=name, backbone_weights=weights, image_size=size
        ),
    )


def sample(folder: pathlib.Path, count: int) -> list[Source]:
    """Draws at most `count` of the videos with a transcript beside them, the same in every call.

    Raises ConfigError without the folder, FileNotFoundError without videos, and PrepareError if fewer than
    `FEWEST_VIDEOS` have a transcript.
    """
    if not folder.is_dir():
        raise ConfigError(f"--videos is {folder}, not a folder; name one that holds videos")
    spoken = [source for source in scan(folder).sources if source.transcript]
    if len(spoken) < FEWEST_VIDEOS:
        raise PrepareError(
            f"{folder} holds {len(spoken)} videos with a transcript, expected at least {FEWEST_VIDEOS}, since the test "
            "is which words are said: put transcripts beside the videos, named alike"
        )
    drawn = np.random.default_rng(SEED).permutation(len(spoken))[:count]
    return [spoken[index] for index in drawn]


def compare(
    chosen: Sequence[Candidate], sources: Sequence[Source], clip_seconds: float, most_clips: int, size: tuple[int, int]
) -> Comparison:
    """Runs every backbone on the first `most_clips` clips of every video, in one process on one core, and judges it.

    `size` is (branching, depth) of the visual vocabularies. Raises PrepareError if too little can be used, and
    ConfigError for weights that cannot be read.
    """
    speech, dropped = _speech(sources)
    names = {str(source.video): source.video_id for source in sources if source.video_id in speech}
    measured: list[dict[str, Measured]] = []
    for candidate in chosen:
        results = share_out(functools.partial(measure, candidate.config, most_clips), list(names), workers=1)
        results = progress(results, len(names), candidate.label, "video")
        outcomes = {names[path]: result for path, result in results}
        measured.append({name: result for name, result in outcomes.items() if isinstance(result, Measured)})
        dropped |= {name: str(result) for name, result in outcomes.items() if not isinstance(result, Measured)}
    usable = [source.video_id for source in sources if source.video_id not in dropped]
    if len(usable) < FEWEST_VIDEOS:
        raise PrepareError(f"{len(usable)} videos can be used, expected at least {FEWEST_VIDEOS}; {_reasons(dropped)}")
    measured = [{name: of[name] for name in usable} for of in measured]
    return _judge(chosen, measured, speech, clip_seconds, size, dropped)


def _reasons(dropped: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in itertools.islice(dropped.items(), 3))


def _speech(sources: Sequence[Source]) -> tuple[dict[str, tuple[Word, ...]], dict[str, str]]:
    speech, dropped = {}, {}
    for source in sources:
        try:
            assert source.transcript is not None, "`sample` takes no others"
            speech[source.video_id] = read_transcript(source.transcript).words
        except (TranscriptError, ValueError, OverflowError, RecursionError) as error:
            dropped[source.video_id] = f"the transcript cannot be used: {error}"
    return speech, dropped


def measure(config: PrepareConfig, most_clips: int, path: str) -> Measured | str:
    """Prepares one video in a worker process, on one core, as `prepare` does; or says why it cannot be used."""
    use_one_core()
    _warm_up(config)
    start = time.process_time()
    try:
        content = embed_clips(itertools.islice(clips_of(pathlib.Path(path), config), most_clips), config)
    except VideoError as error:
        return error.reason
    return Measured(content.features, time.process_time() - start)


@functools.cache
def _warm_up(config: PrepareConfig) -> None:
    """Loads and compiles, which a collection pays once."""
    clip = np.zeros((config.clip_frames, config.image_size, config.image_size, 3), np.uint8)
    embed_clips(iter([clip] * BATCH_CLIPS), config)


def _judge(
    chosen: Sequence[Candidate],
    measured: Sequence[Mapping[str, Measured]],
    speech: Mapping[str, Sequence[Word]],
    clip_seconds: float,
    size: tuple[int, int],
    dropped: Mapping[str, str],
) -> Comparison:
    names = list(measured[0])
    judged = names[: max(1, len(names) // JUDGED)]
    learned = names[len(judged) :]
    # Rates differ between backbones, so that one may see the last clip of a video and another may not.
    clips = {name: min(len(of[name].features) for of in measured) for name in names}
    said = {name: said_around(speech[name], clips[name], clip_seconds) for name in names}
    words = frequent_words([said[name] for name in learned], [said[name] for name in judged])
    if not words:
        raise PrepareError(
            f"no word is said around {FEWEST_CLIPS} to {LARGEST_SHARE:.0%} of the {sum(clips.values())} clips; raise "
            "--num_videos or --clips_per_video"
        )

    def labels(videos: Sequence[str]) -> np.ndarray:
        return np.array([[word in around for word in words] for name in videos for around in said[name]])

    rows = []
    for candidate, of in zip(chosen, measured, strict=True):
        parts = ([of[name].features[: clips[name]].astype(np.float32) for name in part] for part in (learned, judged))
        known, unseen = map(np.concatenate, parts)
        reduced = vocabulary.fit(known, *size, SEED, factors(candidate.config))
        one_hot = np.eye(reduced.size, dtype=np.float32)
        tokens = one_hot[reduced.assign(known)], one_hot[reduced.assign(unseen)]
        hours = sum(len(video.features) for video in of.values()) * clip_seconds / 3600
        rows.append(
            Row(
                label=candidate.label,
                seconds=sum(video.seconds for video in of.values()) / hours,
                width=known.shape[1],
                features=mean_average_precision(ridge_scores(known, labels(learned), unseen), labels(judged)),
                words=mean_average_precision(ridge_scores(tokens[0], labels(learned), tokens[1]), labels(judged)),
            )
        )
    truth = labels(judged)
    guess = float(np.mean([chance(int(count), len(truth)) for count in truth.sum(axis=0)]))
    return Comparison(tuple(rows), guess, words, len(labels(learned)), len(truth), dropped)


def lines(comparison: Comparison, machine: str) -> Iterator[str]:
    """The table in Markdown, and what it rests on."""
    words = ", ".join(comparison.words[:8]) + (", ..." if len(comparison.words) > 8 else "")
    yield f"Measured on one core of: {machine}."
    yield f"Asked: which of {len(comparison.words)} words are said around a clip ({words})."
    yield f"Learned on {comparison.learned:,} clips and judged on {comparison.judged:,} of other videos."
    yield "Scores are mean average precisions; kept is how much of what features tell beyond chance visual words tell."
    yield ""
    yield "| backbone | core seconds an hour of video | times the first | width | features | visual words | kept |"
    yield "|---|---|---|---|---|---|---|"
    for row in comparison.rows:
        times = row.seconds / comparison.rows[0].seconds
        told, kept = row.features - comparison.chance, row.words - comparison.chance
        share = f"{kept / told:.0%}" if told > 0 else "-"
        yield (
            f"| {row.label} | {row.seconds:,.0f} | {times:.2f} | {row.width} | {row.features:.3f} | {row.words:.3f} | "
            f"{share} |"
        )
    yield f"| chance | | | | {comparison.chance:.3f} | {comparison.chance:.3f} | |"
    for name, reason in comparison.dropped.items():
        yield f"left out: {name}: {reason}"
