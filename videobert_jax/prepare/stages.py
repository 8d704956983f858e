"""The stages of preparing, in order. Each skips what is there and leaves whole files, so it can be called again.

A prepared folder is filled stage by stage: features/, sentences.jsonl, tokenizer/, vocabulary/, tokens.json, records/.
"""

import collections
import dataclasses
import json
import pathlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from videobert_jax import tokenizer
from videobert_jax.backbones import VideoBackbone, get_backbone
from videobert_jax.config import ConfigError, PrepareConfig
from videobert_jax.data.records import Record, write_records
from videobert_jax.prepare import alignment
from videobert_jax.prepare.annotations import Annotation, Caption
from videobert_jax.prepare.features import ClipFeatures, extract, factors
from videobert_jax.prepare.narration import Narration, read_narrations, write_narrations
from videobert_jax.prepare.pictures import nearest_clips, write_pictures
from videobert_jax.prepare.quality import SAMPLE, compare_with_flat, quality
from videobert_jax.prepare.report import Problem
from videobert_jax.prepare.scan import Source, fingerprint
from videobert_jax.prepare.splits import TRAIN
from videobert_jax.prepare.storage import exclusive, link, read_json, reading, whole
from videobert_jax.prepare.streaming import Videos, fit_videos, sample_clips
from videobert_jax.prepare.vocabulary import Vocabulary, require_finite
from videobert_jax.progress import progress

VOCABULARY_SEED = 0
NEAREST = 4  # clips kept of each visual word, for pictures
CONTENTS = "contents.json"  # in records/: what they hold
STORED_ID = 200  # bytes of a video's id in the names of stored files

Splits = Mapping[str, Sequence[str]]


def check(config: PrepareConfig) -> None:
    """Raises ConfigError for a backbone that is not known or cannot work so; `config_check` judges the rest."""
    backbone = get_backbone(config.backbone)
    if isinstance(backbone, VideoBackbone):
        backbone.check(config.clip_frames, config.image_size, config.backbone_weights)
    elif config.backbone_weights:
        raise ConfigError(f"{config.backbone} brings its own weights: leave config.prepare.backbone_weights empty")


def features(
    config: PrepareConfig, sources: Sequence[Source], store: pathlib.Path, directory: pathlib.Path
) -> tuple[list[Source], list[Problem]]:
    """Makes `features/<video id>.npz` for all videos that can be read; returns these, and the problems of the others.

    The files themselves lie in `store`, under names that tell the state of the video, so that another prepared folder
    finds them. `unreadable.json` ends the stage; another prepared folder tries again what it names.
    """
    done = directory / "unreadable.json"
    if not done.exists():
        stored = {source.video_id: _stored_name(source) for source in sources}
        with exclusive(store):
            failures = extract([(stored[source.video_id], source.video) for source in sources], store, config)
        reasons = {video_id: failures[name] for video_id, name in stored.items() if name in failures}
        for video_id in stored.keys() - reasons.keys():
            link(store / f"{stored[video_id]}.npz", directory / "features" / f"{video_id}.npz")
        with whole(done) as part:
            part.write_text(json.dumps(reasons, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    reasons = read_json(done, directory)
    readable = [source for source in sources if source.video_id not in reasons]
    unreadable = [source for source in sources if source.video_id in reasons]
    return readable, [Problem(source.video.name, "features", reasons[source.video_id]) for source in unreadable]


def _stored_name(source: Source) -> str:
    """As much of the video's id as a file name has room for, and a hash of its whole name and its state."""
    start = source.video_id.encode()[:STORED_ID].decode(errors="ignore")
    return f"{start}-{fingerprint([source.video])}"


def narrations(
    config: PrepareConfig, sources: Sequence[Source], shared: pathlib.Path | None, directory: pathlib.Path
) -> tuple[Mapping[str, int], list[Problem]]:
    """Writes `sentences.jsonl`; returns how often transcripts needed each repair, and the unusable transcripts."""
    path = directory / "sentences.jsonl"
    if not path.exists():
        write_narrations(path, sources, config.max_sentence_words, shared)
    repairs: collections.Counter[str] = collections.Counter()
    problems = []
    missing = {source.video_id for source in sources}
    for video_id, narration in read_narrations(path):
        missing.discard(video_id)
        repairs.update(narration.repairs)
        if narration.problem:
            problems.append(Problem(video_id, "transcripts", narration.problem))
    with reading(path, directory):
        if missing:
            raise ValueError(f"it lacks {len(missing)} of {len(sources)} videos")
    return repairs, problems


def train_tokenizer(config: PrepareConfig, splits: Splits, directory: pathlib.Path) -> None:
    """Makes `tokenizer/`: the one that the config names, or one trained on the training videos' sentences."""
    if (directory / "tokenizer").exists():
        return
    if config.tokenizer:
        chosen = tokenizer.load(pathlib.Path(config.tokenizer))
    else:
        spoken = (narration.sentences for _, narration in _narrations_of(splits[TRAIN], directory))
        chosen = tokenizer.train(
            (sentence.text for sentences in spoken for sentence in sentences), config.tokenizer_size
        )
    with whole(directory / "tokenizer") as part:
        chosen.save(part)


def fit_vocabulary(config: PrepareConfig, splits: Splits, directory: pathlib.Path) -> Mapping[str, Any]:
    """Makes `vocabulary/`, fitted on the training videos; returns how well its words fit them."""
    target = directory / "vocabulary"
    if not target.exists():
        videos = Videos(splits[TRAIN], lambda video_id: _clips(directory, video_id).features)
        for video_id, features_of_video in videos.items():
            require_finite(features_of_video, f"video {video_id}")
        how = (config.branching, config.depth, VOCABULARY_SEED, factors(config.backbone))
        with whole(target) as part:
            part.mkdir()
            vocabulary = fit_videos(videos, *how, memory=config.vocabulary_memory_mb << 20, scratch=part)
            vocabulary.save(part / "tree.npz")
            nearest = nearest_clips(vocabulary, videos.items(), NEAREST)
            write_pictures(part, nearest, lambda video_id: _clips(directory, video_id).thumbnails)
            fitness = dataclasses.asdict(quality(vocabulary, videos))
            fitness["sample"] = dataclasses.asdict(compare_with_flat(sample_clips(videos, SAMPLE), *how))
            (part / "quality.json").write_text(json.dumps(fitness, indent=2) + "\n")
    return read_json(target / "quality.json", target)


def records(
    config: PrepareConfig, splits: Splits, annotations: Mapping[str, Annotation], directory: pathlib.Path
) -> tuple[Mapping[str, int], list[Problem]]:
    """Makes `tokens.json` and `records/`; returns what they hold, and what no clip shows."""
    target = directory / "records"
    if not target.exists():
        with whole(target) as part:
            _write_records(config, splits, annotations, directory, part)
    contents = read_json(target / CONTENTS, target)
    return contents["counts"], [Problem(**problem) for problem in contents["unseen"]]


def _write_records(
    config: PrepareConfig,
    splits: Splits,
    annotations: Mapping[str, Annotation],
    directory: pathlib.Path,
    target: pathlib.Path,
) -> None:
    vocabulary = Vocabulary.load(directory / "vocabulary" / "tree.npz")
    words = tokenizer.load(directory / "tokenizer")
    words.token_space(vocabulary.size).save(directory / "tokens.json")
    seconds = config.clip_frames / config.fps
    counts = collections.Counter({"text vocabulary": words.size, "visual vocabulary": vocabulary.size})
    counts.update({f"{split} sentences": 0 for split in splits})
    unseen: list[Problem] = []

    def chunks(split: str) -> Iterator[Record]:
        narrations = _narrations_of(splits[split], directory)
        for video_id, narration in progress(narrations, len(splits[split]), f"{split} records", "video"):
            visual_ids = vocabulary.assign(_clips(directory, video_id).features)
            captions = annotations[video_id].captions if video_id in annotations else ()
            video = alignment.whole_video(video_id, visual_ids, seconds, narration.sentences, captions, words.encode)
            unseen.extend(_unseen(video, seconds, narration, captions))
            counts["clips"] += len(video.visual_ids)
            counts[f"{split} sentences"] += len(video.sentence_starts)
            counts["text tokens"] += len(video.token_ids)
            counts["captions"] += len(video.captions)
            yield from alignment.cut(video, config.chunk_tokens)

    for split in splits:
        counts[f"{split} records"] = write_records(
            target, split, chunks(split), config.records_per_shard, config.record_format
        )
    contents = {"counts": counts, "unseen": [dataclasses.asdict(problem) for problem in dict.fromkeys(unseen)]}
    (target / CONTENTS).write_text(json.dumps(contents, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _unseen(video: Record, clip_seconds: float, narration: Narration, captions: Sequence[Caption]) -> Iterator[Problem]:
    """What the record of a whole video leaves out, since no clip shows it."""
    for caption in captions[len(video.captions) :]:
        yield Problem(f"{video.video_id}, {caption.text!r}", "alignment", "begins after the last clip")
    end = len(video.visual_ids) * clip_seconds
    late = sum(sentence.start >= end for sentence in narration.sentences)
    if late:
        reason = f"{late} of {len(narration.sentences)} sentences begin after the last clip"
        yield Problem(video.video_id, "alignment", reason)


def _clips(directory: pathlib.Path, video_id: str) -> ClipFeatures:
    return ClipFeatures.load(directory / "features" / f"{video_id}.npz")


def _narrations_of(video_ids: Collection[str], directory: pathlib.Path) -> Iterator[tuple[str, Narration]]:
    chosen = set(video_ids)
    return (
        (video_id, found) for video_id, found in read_narrations(directory / "sentences.jsonl") if video_id in chosen
    )
