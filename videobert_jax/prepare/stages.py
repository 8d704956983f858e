"""The stages of preparing, in order. Each skips what is there and leaves whole files, so it can be called again.

A prepared folder is filled stage by stage: features/, sentences.jsonl, tokenizer/, vocabulary/, tokens.json, records/.
"""

import collections
import dataclasses
import json
import pathlib
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from videobert_jax import tokenizer
from videobert_jax.backbones import get_backbone
from videobert_jax.config import PrepareConfig
from videobert_jax.data.records import FORMATS, Record, write_records
from videobert_jax.prepare import alignment
from videobert_jax.prepare.annotations import Annotation
from videobert_jax.prepare.features import ClipFeatures, extract, factors
from videobert_jax.prepare.narration import Narration, read_narrations, write_narrations
from videobert_jax.prepare.pictures import nearest_clips, write_pictures
from videobert_jax.prepare.report import Problem
from videobert_jax.prepare.scan import Source, fingerprint
from videobert_jax.prepare.splits import TRAIN
from videobert_jax.prepare.storage import exclusive, link, whole
from videobert_jax.prepare.vocabulary import Vocabulary, fit, quality, require_finite
from videobert_jax.progress import progress

VOCABULARY_SEED = 0
NEAREST = 4  # clips kept of each visual word, for pictures
CONTENTS = "contents.json"  # in records/: what they hold

Splits = Mapping[str, Sequence[str]]


def check(config: PrepareConfig) -> None:
    """Raises ValueError for settings that would only fail hours later."""
    get_backbone(config.backbone)
    wrong = {
        f"fps is {config.fps}, expected above 0": config.fps <= 0,
        f"clip_frames is {config.clip_frames}, expected at least 3": config.clip_frames < 3,
        f"image_size is {config.image_size}, expected at least 32": config.image_size < 32,
        f"branching is {config.branching}, expected at least 2": config.branching < 2,
        f"depth is {config.depth}, expected at least 1": config.depth < 1,
        f"max_sentence_words is {config.max_sentence_words}, expected at least 1": config.max_sentence_words < 1,
        f"chunk_tokens is {config.chunk_tokens}, expected at least 1": config.chunk_tokens < 1,
        f"records_per_shard is {config.records_per_shard}, expected at least 1": config.records_per_shard < 1,
        f"record_format is {config.record_format!r}, expected one of {FORMATS}": config.record_format not in FORMATS,
    }
    for problem, present in wrong.items():
        if present:
            raise ValueError(f"config.prepare.{problem}")


def features(
    config: PrepareConfig, sources: Sequence[Source], store: pathlib.Path, directory: pathlib.Path
) -> tuple[list[Source], list[Problem]]:
    """Makes `features/<video id>.npz` for all videos that can be read; returns these, and the problems of the others.

    The files themselves lie in `store`, under names that tell the state of the video, so that another prepared folder
    finds them. `unreadable.json` ends the stage; another prepared folder tries again what it names.
    """
    done = directory / "unreadable.json"
    if not done.exists():
        stored = {source.video_id: f"{source.video_id}-{fingerprint([source.video])}" for source in sources}
        with exclusive(store):
            failures = extract([(stored[source.video_id], source.video) for source in sources], store, config)
        reasons = {video_id: failures[name] for video_id, name in stored.items() if name in failures}
        for video_id in stored.keys() - reasons.keys():
            link(store / f"{stored[video_id]}.npz", directory / "features" / f"{video_id}.npz")
        with whole(done) as part:
            part.write_text(json.dumps(reasons, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    reasons = json.loads(done.read_text(encoding="utf-8"))
    readable = [source for source in sources if source.video_id not in reasons]
    unreadable = [source for source in sources if source.video_id in reasons]
    return readable, [Problem(source.video.name, "features", reasons[source.video_id]) for source in unreadable]


def narrations(
    config: PrepareConfig, sources: Sequence[Source], directory: pathlib.Path
) -> tuple[Mapping[str, int], list[Problem]]:
    """Writes `sentences.jsonl`; returns how often transcripts needed each repair, and the unusable transcripts."""
    path = directory / "sentences.jsonl"
    if not path.exists():
        write_narrations(path, sources, config.max_sentence_words)
    repairs: collections.Counter[str] = collections.Counter()
    problems = []
    for video_id, narration in read_narrations(path):
        repairs.update(narration.repairs)
        if narration.problem:
            problems.append(Problem(video_id, "transcripts", narration.problem))
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


def fit_vocabulary(config: PrepareConfig, splits: Splits, directory: pathlib.Path) -> Mapping[str, float]:
    """Makes `vocabulary/`, fitted on the training videos; returns how well its words fit them."""
    target = directory / "vocabulary"
    if not target.exists():
        videos = [(video_id, _clips(directory, video_id).features) for video_id in splits[TRAIN]]
        for video_id, features_of_video in videos:
            require_finite(features_of_video, f"video {video_id}")
        points = np.concatenate([features for _, features in videos])
        vocabulary = fit(points, config.branching, config.depth, VOCABULARY_SEED, factors(config.backbone))
        nearest = nearest_clips(vocabulary, videos, NEAREST)
        with whole(target) as part:
            part.mkdir()
            vocabulary.save(part / "tree.npz")
            write_pictures(part, nearest, lambda video_id: _clips(directory, video_id).thumbnails)
            fitness = dataclasses.asdict(quality(vocabulary, points))
            (part / "quality.json").write_text(json.dumps(fitness, indent=2) + "\n")
    return json.loads((target / "quality.json").read_text())


def records(
    config: PrepareConfig, splits: Splits, annotations: Mapping[str, Annotation], directory: pathlib.Path
) -> tuple[Mapping[str, int], list[Problem]]:
    """Makes `tokens.json` and `records/`; returns what they hold, and the captions that no clip shows."""
    target = directory / "records"
    if not target.exists():
        with whole(target) as part:
            _write_records(config, splits, annotations, directory, part)
    contents = json.loads((target / CONTENTS).read_text(encoding="utf-8"))
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
            unseen.extend(
                Problem(f"{video_id}, {caption.text!r}", "alignment", "begins after the last clip")
                for caption in captions[len(video.captions) :]
            )
            counts["clips"] += len(video.visual_ids)
            counts[f"{split} sentences"] += len(video.sentence_starts)
            counts["text tokens"] += len(video.token_ids)
            counts["captions"] += len(video.captions)
            yield from alignment.cut(video, config.chunk_tokens)

    for split in splits:
        counts[f"{split} records"] = write_records(
            target, split, chunks(split), config.records_per_shard, config.record_format
        )
    contents = {"counts": counts, "unseen": [dataclasses.asdict(problem) for problem in unseen]}
    (target / CONTENTS).write_text(json.dumps(contents, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _clips(directory: pathlib.Path, video_id: str) -> ClipFeatures:
    return ClipFeatures.load(directory / "features" / f"{video_id}.npz")


def _narrations_of(video_ids: Collection[str], directory: pathlib.Path) -> Iterator[tuple[str, Narration]]:
    chosen = set(video_ids)
    return (
        (video_id, found) for video_id, found in read_narrations(directory / "sentences.jsonl") if video_id in chosen
    )
