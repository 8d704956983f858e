"""The rounds of preparing, and the stages between them that need all videos.

    videos ─► features │ splits, blocks │ blocks ─► sentences │ tokenizer, visual vocabulary │ blocks ─► records

If there are views of training videos, a round before the last makes their features. Whether a view may be mirrored
depends on the sentences. Tokenizer and visual vocabulary do not depend on views, nor do the records of the videos.

A prepared folder (`data.prepared`) is filled in this order: features, unreadable, sentences, tokenizer, vocabulary,
tokens, records. Each stage skips what is there and leaves whole files, so it can be called again.
"""

import collections
import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from videobert_jax import tokenizer
from videobert_jax.backbones import get_backbone
from videobert_jax.config import PrepareConfig
from videobert_jax.data.augmentation import names_a_side
from videobert_jax.data.features import ClipFeatures
from videobert_jax.data.prepared import TRAIN, VIEW, Lexicon, Prepared, videos_of, view_number
from videobert_jax.data.records import Record, shard_name, write_metadata, write_shard
from videobert_jax.errors import RoundsError
from videobert_jax.files import copy, link, read_json, reading, remove, whole, write_json
from videobert_jax.formats.problems import Problem
from videobert_jax.prepare import chunks
from videobert_jax.prepare.blocks import Block, Planned, list_blocks, read_plan, write_blocks
from videobert_jax.prepare.factors import factors
from videobert_jax.prepare.narrations import (
    Narration,
    deal_out,
    narrations,
    read_dealt,
    read_narrations,
    write_narrations,
)
from videobert_jax.prepare.rounds import Round
from videobert_jax.prepare.scan import digest, fingerprint
from videobert_jax.prepare.shard_summary import ShardSummary
from videobert_jax.prepare.splits import split_videos
from videobert_jax.speech import sentences
from videobert_jax.video.crops import region_of
from videobert_jax.video.features import extract
from videobert_jax.video.views import View, draw
from videobert_jax.visual_words import details
from videobert_jax.visual_words.contact_sheet import nearest_clips, write_pictures
from videobert_jax.visual_words.fit_from_disk import Videos, fit_videos, sample_clips
from videobert_jax.visual_words.quality import SAMPLE, compare_with_flat, quality
from videobert_jax.visual_words.vocabulary import Vocabulary, require_finite
from videobert_jax.workers import WorkerDiedError

VOCABULARY_SEED = 0
NEAREST = 4  # clips kept of each visual word, for pictures
STORED_ID = 200  # bytes of a video's id in the names of stored files


def check(config: PrepareConfig) -> None:
    """Raises ConfigError for a backbone or a splitter that is not known or cannot work so.

    `config.check` judges the rest.
    """
    get_backbone(config.backbone).check(config.clip_frames, config.image_size, config.backbone_weights)
    factors(config)
    region_of(config.crop, "")
    sentences.find_splitter(config)


class Viewed(NamedTuple):
    """A view to make: its video, that video's file and stored name, and the arguments of `views.draw`."""

    video_id: str
    number: int
    video: str
    stored: str
    sided: bool


@dataclasses.dataclass(frozen=True)
class Preparation:
    """What all stages are about.

    Attributes:
      config: how to prepare.
      shared: one file with transcripts of many videos, if there is one.
      store: folder of the features, which other prepared folders share.
      prepared: the folder to fill; its `plan` lists the videos.
      given: words and visual words to use; None: they are made of the training videos.
    """

    config: PrepareConfig
    shared: pathlib.Path | None
    store: pathlib.Path
    prepared: Prepared
    given: Lexicon | None = None

    def rounds(self) -> list[Round]:
        """All there is to do."""
        views = Round("views", "view", self._missing_views, self._make_view, _require_views)
        return [
            Round("features", "video", self._unread, self._read, self._plan_blocks),
            Round("sentences", "block", self._silent, self._narrate, self._fit),
            *([views] if self.config.views else []),
            Round("records", "block", self._missing_records, self._write, self._end),
        ]

    # Round 1: videos to features.

    def _unread(self) -> list[tuple[str, str]]:
        self.store.mkdir(parents=True, exist_ok=True)
        if (self.prepared.unreadable).exists():
            return []
        return [(_stored_name(video), video.video) for video in read_plan(self.prepared.plan)]

    def _read(self, video: tuple[str, str]) -> str | None:
        return extract(self.config, self.store, video)

    def _plan_blocks(self, results: Mapping[tuple[str, str], str | WorkerDiedError | None]) -> None:
        """Names each video's features by its id, and shares out the videos among splits and blocks.

        `unreadable.json` ends the round; another prepared folder tries again what it names.
        """
        videos = {video.video_id: video for video in read_plan(self.prepared.plan)}
        done = self.prepared.unreadable
        if not done.exists():
            failures = {name: str(reason) for (name, _), reason in results.items() if reason}
            stored = {video_id: _stored_name(video) for video_id, video in videos.items()}
            reasons = {video_id: failures[name] for video_id, name in stored.items() if name in failures}
            for video_id in stored.keys() - reasons.keys():
                link(self.store / f"{stored[video_id]}.npz", self.prepared.features(video_id))
            write_json(done, reasons)
        unreadable = read_json(done, done)
        readable = [video_id for video_id in videos if video_id not in unreadable]
        if not readable:
            return
        annotations = {video_id: video.annotation for video_id, video in videos.items() if video.annotation}
        splits = split_videos(readable, annotations, self.config.validation_fraction)
        if not splits[TRAIN]:
            raise RoundsError(
                f"annotations put all {len(readable):,} readable videos into the test split; none is left to train on"
            )
        remove(self.prepared.blocks)
        write_blocks(self.prepared.blocks, videos, splits, self.config.videos_per_shard)
        if self.shared and self._silent() and not self.prepared.transcripts.exists():
            deal_out(self.shared, {block: self._videos(block) for block in self._blocks()}, self.prepared.transcripts)

    # Round 2: transcripts to sentences.

    def _silent(self) -> list[Block]:
        return [block for block in self._blocks() if not self._sentences(block).exists()]

    def _narrate(self, block: Block) -> None:
        videos, shared = self._videos(block), self.shared.name if self.shared else ""
        dealt = read_dealt(self.prepared.transcripts / f"{block}.jsonl") if self.shared else {}
        split = sentences.configured_split(self.config)
        write_narrations(self._sentences(block), videos, narrations(videos, dealt, shared, split))

    def _fit(self, results: Mapping[Block, WorkerDiedError | None]) -> None:
        """Makes `tokenizer/`, `vocabulary/` and `tokens.json`, from the training videos."""
        _require_all(results)
        training = [block for block in self._blocks() if block.split == TRAIN]
        if not training:
            return
        remove(self.prepared.transcripts)
        if self.given:
            for theirs, ours in zip(self.given.copied, self.prepared.copied, strict=True):
                copy(theirs, ours)
            return
        if not (self.prepared.tokenizer).exists():
            with whole(self.prepared.tokenizer) as part:
                self._tokenizer(training).save(part)
        if not (self.prepared.vocabulary).exists():
            video_ids = [video.video_id for block in training for video in self._videos(block)]
            with whole(self.prepared.vocabulary) as part:
                part.mkdir()
                _fit_vocabulary(
                    self.config, Videos(video_ids, lambda name: self._clips(name).features), self._clips, part
                )
        vocabulary = Vocabulary.load(self.prepared.tree)
        with reading(self.prepared.tokenizer, self.prepared.tokenizer):
            words = tokenizer.load(self.prepared.tokenizer)
        details = (self.config.feature_size, self.config.codebooks, self.config.codebook_size)
        words.token_space(vocabulary.size).with_details(*details).save(self.prepared.tokens_file)

    def _tokenizer(self, blocks: Sequence[Block]) -> tokenizer.TextTokenizer:
        if self.config.tokenizer:
            return tokenizer.load(pathlib.Path(self.config.tokenizer))
        said = [
            sentence.text
            for block in blocks
            for _, narration in self._spoken(block)
            for sentence in narration.sentences
        ]
        return tokenizer.train(said or self._captions(blocks), self.config.tokenizer_size)

    def _captions(self, blocks: Sequence[Block]) -> Iterator[str]:
        """What people wrote: the words of a collection in which nobody speaks."""
        videos = (video for block in blocks for video in self._videos(block) if video.annotation)
        return (caption.text for video in videos if video.annotation for caption in video.annotation.captions)

    # If there are views: views of training videos to features.

    def _missing_views(self) -> list[Viewed]:
        return [
            Viewed(planned.video_id, number, planned.video, _stored_name(planned), _is_sided(planned, narration))
            for block in self._blocks()
            if block.split == TRAIN
            for planned, narration in self._spoken(block)
            for number in range(1, self.config.views + 1)
            if not self.prepared.features(planned.video_id, number).exists()
        ]

    def _make_view(self, viewed: Viewed) -> str | None:
        view = self._view(viewed.video_id, viewed.number, viewed.sided)
        name = f"{viewed.stored}-{digest(view)}"
        if problem := extract(self.config, self.store, (name, viewed.video), view):
            return problem
        link(self.store / f"{name}.npz", self.prepared.features(viewed.video_id, viewed.number))
        return None

    def _view(self, video_id: str, number: int, sided: bool) -> View:
        return draw(self.config, video_id, number, len(self._clips(video_id).features), sided)

    # The last round: all of it to records.

    def _missing_records(self) -> list[Block]:
        written = (block for block in self._all_blocks() if self._summary(block).exists())
        return sorted(set(self._all_blocks()) - {block for block in written if self._shard(block).exists()})

    def _all_blocks(self) -> list[Block]:
        """The blocks of videos, and for every view those of training videos again."""
        blocks = self._blocks()
        training = [block for block in blocks if block.split == TRAIN]
        views = [f"{VIEW}{number}" for number in range(1, self.config.views + 1)]
        return blocks + [dataclasses.replace(block, split=view) for view in views for block in training]

    def _write(self, block: Block) -> None:
        """Writes a shard and, when that is whole, its summary."""
        summary = ShardSummary()
        with whole(self._shard(block)) as part:
            summary.counts["records"] = write_shard(part, self._records(block, summary), self.config.record_format)
        write_json(self._summary(block), summary.as_dict())

    def _records(self, block: Block, summary: ShardSummary) -> Iterator[Record]:
        """The clips of a faster view last longer by the video's clock, in which all times are."""
        number = view_number(block.split)
        words, vocabulary = _words(self.prepared.tokenizer), _vocabulary(self.prepared.tree)
        describe = _details(self.prepared.details) if self.config.feature_size else None
        for planned, narration in self._spoken(block):
            captions = planned.annotation.captions if planned.annotation else ()
            speed = self._view(planned.video_id, number, _is_sided(planned, narration)).speed if number else 1.0
            features = self._clips(planned.video_id, number).features
            visual_ids = vocabulary.assign(features)
            video = chunks.whole_video(
                planned.video_id,
                visual_ids,
                self.config.clip_seconds * speed,
                narration.sentences,
                captions,
                words.encode,
                self.config.clip_step_seconds * speed,
                describe(features, visual_ids) if describe else None,
            )
            summary.add(video, narration, captions)
            yield from chunks.cut(video, self.config.chunk_tokens)

    def _spoken(self, block: Block) -> list[tuple[Planned, Narration]]:
        path, videos = self._sentences(block), self._videos(block)
        found = dict(read_narrations(path))
        with reading(path, path):
            return [(video, found[video.video_id]) for video in videos]

    def _end(self, results: Mapping[Block, WorkerDiedError | None]) -> None:
        """Makes the shards a data set."""
        _require_all(results)
        lengths = collections.defaultdict(list)
        for block in self._all_blocks():
            lengths[block.split].append(self._read_summary(block).counts["records"])
        if lengths:
            write_metadata(self.prepared.records, lengths)

    # What is where.

    def unreadable(self) -> list[Problem]:
        """The videos that gave no features. Raises DamagedError."""
        reasons = read_json(self.prepared.unreadable, self.prepared.unreadable)
        videos = (video for video in read_plan(self.prepared.plan) if video.video_id in reasons)
        return [Problem(pathlib.Path(v.video).name, "features", reasons[v.video_id]) for v in videos]

    def summaries(self) -> list[tuple[Block, ShardSummary]]:
        """Of all blocks. Raises DamagedError."""
        return [(block, self._read_summary(block)) for block in self._all_blocks()]

    def _blocks(self) -> list[Block]:
        return list_blocks(self.prepared.blocks)

    def _videos(self, block: Block) -> list[Planned]:
        return list(read_plan(self.prepared.blocks / f"{_of_videos(block)}.jsonl"))

    def _sentences(self, block: Block) -> pathlib.Path:
        return self.prepared.sentences / f"{_of_videos(block)}.jsonl"

    def _clips(self, video_id: str, view: int = 0) -> ClipFeatures:
        return ClipFeatures.load(self.prepared.features(video_id, view))

    def _shard(self, block: Block) -> pathlib.Path:
        name = shard_name(block.split, self.config.record_format, block.index, block.count)
        return self.prepared.records / name

    def _summary(self, block: Block) -> pathlib.Path:
        return self.prepared.records / f"{block}.json"

    def _read_summary(self, block: Block) -> ShardSummary:
        return ShardSummary.from_dict(read_json(self._summary(block), self.prepared.records))


def _of_videos(block: Block) -> Block:
    """The block that has the videos of a block of views as they are."""
    return dataclasses.replace(block, split=videos_of(block.split))


def _is_sided(planned: Planned, narration: Narration) -> bool:
    """Whether left or right is said in a video or written about it."""
    captions = planned.annotation.captions if planned.annotation else ()
    texts = [*(sentence.text for sentence in narration.sentences), *(caption.text for caption in captions)]
    return any(map(names_a_side, texts))


def _stored_name(video: Planned) -> str:
    """As much of the video's id as a file name has room for, and a hash of its whole name and its state."""
    start = video.video_id.encode()[:STORED_ID].decode(errors="ignore")
    return f"{start}-{fingerprint([pathlib.Path(video.video)])}"


def _fit_vocabulary(
    config: PrepareConfig, videos: Videos, clips: Callable[[str], ClipFeatures], target: pathlib.Path
) -> None:
    """Writes the vocabulary of the training videos, its pictures, and how well its words fit them."""
    for video_id, features_of_video in videos.items():
        require_finite(features_of_video, f"video {video_id}")
    how = (config.branching, config.depth, VOCABULARY_SEED, factors(config))
    vocabulary = fit_videos(videos, *how, memory=config.vocabulary_memory_mb << 20, scratch=target)
    vocabulary.save(target / "tree.npz")
    nearest = nearest_clips(vocabulary, videos.items(), NEAREST)
    write_pictures(target, nearest, lambda video_id: clips(video_id).thumbnails)
    fitness = dataclasses.asdict(quality(vocabulary, videos))
    fitness["sample"] = dataclasses.asdict(compare_with_flat(sample_clips(videos, SAMPLE), *how))
    write_json(target / "quality.json", fitness)
    if config.feature_size:
        books = (config.codebooks, config.codebook_size, config.quantisation)
        details.fit(videos, vocabulary, config.feature_size, *books, VOCABULARY_SEED).save(target / "details.npz")


# A process that writes many blocks reads these once. The folder's name tells its content.
_words = functools.cache(tokenizer.load)
_vocabulary = functools.cache(Vocabulary.load)
_details = functools.cache(details.Details.load)


def _require_views(results: Mapping[Viewed, str | WorkerDiedError | None]) -> None:
    for viewed, problem in results.items():
        if problem:
            raise RoundsError(
                f"view {viewed.number} of video {viewed.video_id!r} was not made, although the video can be read: "
                f"{problem}; run the same command again, or with --config.prepare.views=0"
            )


def _require_all(results: Mapping[Block, WorkerDiedError | None]) -> None:
    for block, died in results.items():
        if died:
            raise RoundsError(f"block {block} was not made: {died}; run the same command again to go on") from died
