"""Raw video and transcripts to records, once (VideoBERT sections 3.1 and 4.1 to 4.3).

    files ─► features ─────────► visual vocabulary ─┐
       └───► transcripts ─► sentences ─► tokenizer ─┴─► alignment ─► records ─► manifest

Every stage leaves whole files or none, and is skipped where its files are there: what was killed goes on with the same
call and ends with the same bytes, whatever the number of workers. The folder's name carries a hash of all that its
content depends on, so changed videos or settings get a new folder; features of unchanged videos are taken over.
"""

import collections
import contextlib
import dataclasses
import errno
import functools
import hashlib
import os
import pathlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from videobert_jax.config import Config, PrepareConfig, check
from videobert_jax.data.prepared import TRAIN, VALIDATION, Lexicon, Prepared, view_number
from videobert_jax.data.records import SCHEMA_VERSION, RecordSource, is_data_set, splits_of
from videobert_jax.errors import DamagedError, FormatError, MissingError, PrepareError, RecordError, RoundsError
from videobert_jax.files import exclusive, read_json, remove, whole, write_json
from videobert_jax.formats.annotations import Annotation
from videobert_jax.formats.problems import Problem, summary
from videobert_jax.formats.recognise import annotation_files, read_annotations
from videobert_jax.prepare import streams
from videobert_jax.prepare.blocks import Block, Planned, write_plan
from videobert_jax.prepare.rounds import Runner, run_in_processes
from videobert_jax.prepare.scan import CACHE_TAG, Corpus, digest, fingerprint, scan
from videobert_jax.prepare.shard_summary import ShardSummary
from videobert_jax.video import feature_files
from videobert_jax.video.crops import file_of

VERSION = 3  # of the result; raised when a stage comes to compute something else
FEATURES_VERSION = 2  # the same, of the features alone
REVISIONS = {"pixels": 1}  # likewise of one backbone, so that nobody has to compute the features of others again
# The fields of PrepareConfig that features depend on.
FEATURE_SETTINGS = ("fps", "clip_frames", "backbone", "backbone_weights", "image_size")


def prepare(config: Config, run: Runner | None = None, given: Lexicon | None = None) -> Prepared:
    """Returns the folder of prepared data, `<cache>/prepared-<hash>`, having made it if it was not there.

    Args:
      config: what to prepare, and how.
      run: who does the work; by default processes of this machine, `config.prepare.workers` of them.
      given: words and visual words to use; by default they are made of the training videos.

    Raises PrepareError if no video can be used, or if the cache cannot be written or is damaged, or if annotations or a
    file of many transcripts are broken or of no known format; ConfigError for a value that makes no sense or names a
    folder that is not there, and ValueError for a tokenizer of another schema.
    """
    check(config)
    cache = pathlib.Path(config.data.cache)
    with _explained(cache):
        if cache.exists():
            _mark(cache)
        corpus = _named_corpus(config) if config.data.videos else scan(kitchen(config, cache))
        _mark(cache)  # not made for a command that is refused
        prepared = Prepared(cache / f"prepared-{_key(config.prepare, corpus, given)}")
        if not _is_finished(prepared):
            with exclusive(prepared.folder):
                if not _is_finished(prepared):
                    _remove_damaged_records(prepared.records)
                    _prepare(config.prepare, corpus, cache, prepared, run, given)
    return prepared


def _mark(cache: pathlib.Path) -> None:
    """Makes the folder, and tells all who look for files, `scan` too, that nothing in it was put there by people."""
    tag = cache / CACHE_TAG
    if not tag.exists():
        with whole(tag) as part:
            part.write_text("Signature: 8a477f597d28d172789f06886806bc55\n")


def _named_corpus(config: Config) -> Corpus:
    transcripts, annotations = (
        pathlib.Path(name) if name else None for name in (config.data.transcripts, config.data.annotations)
    )
    features = config.prepare.backbone == feature_files.BACKBONE
    corpus = scan(pathlib.Path(config.data.videos), transcripts, annotations, features)
    if corpus.transcripts:
        streams.reader(corpus.transcripts)  # a file of another format shows now, not after the features
    return corpus


def kitchen(config: Config, cache: pathlib.Path) -> pathlib.Path:
    """The folder of the rendered corpus that a config without videos uses, having rendered it if it was not there."""
    from videobert_jax.kitchen.corpus import VERSION as KITCHEN_VERSION
    from videobert_jax.kitchen.corpus import make_corpus

    directory = cache / f"kitchen-{digest([KITCHEN_VERSION, dataclasses.asdict(config.kitchen)])}"
    if not (directory / "annotations.json").exists():  # the last of its files
        with exclusive(directory):
            make_corpus(directory, config.kitchen, config.prepare.workers)
    return directory


def _is_finished(prepared: Prepared) -> bool:
    """Whether all is there; takes milliseconds."""
    try:
        read_json(prepared.manifest, prepared.folder)
    except DamagedError:
        return False
    made = (*prepared.defining, prepared.report)
    return all(path.exists() for path in made) and _damage(prepared.records) is None


def _remove_damaged_records(records: pathlib.Path) -> None:
    """Those of a whole data set; of one that is still being made, the shards that are there are kept."""
    if is_data_set(records) and (damage := _damage(records)):
        print(f"making the records again, since {damage}")
        shutil.rmtree(records)


def _damage(records: pathlib.Path) -> RecordError | None:
    """What shows of damage without reading all: each shard is opened, and the first record of each split is read."""
    try:
        for split in (TRAIN, VALIDATION, *splits_of(records)):
            RecordSource(records, split)[0]
    except RecordError as error:
        return error
    return None


def _key(config: PrepareConfig, corpus: Corpus, given: Lexicon | None = None) -> str:
    """A hash of everything that the result depends on."""
    videos = [path for source in corpus.sources for path in (source.video, source.transcript)]
    folder = pathlib.Path(config.tokenizer)
    if config.tokenizer and not folder.is_dir():
        raise MissingError(f"there is no tokenizer folder {folder}; name one with --config.prepare.tokenizer")
    tokenizer = sorted(folder.iterdir()) if config.tokenizer else []
    truth = annotation_files(corpus.annotations) if corpus.annotations else []
    files = fingerprint([*videos, corpus.transcripts, *truth, *tokenizer, *_weights(config), *_crops(config)])
    meaning = [hashlib.sha256(path.read_bytes()).hexdigest() for path in given.defining] if given else []
    content = [VERSION, SCHEMA_VERSION, _settings(config), files, _as_dicts(corpus.problems), *meaning]
    return digest(content + _revision(config))


def _features_key(config: PrepareConfig) -> str:
    """A hash of everything but the video that its features depend on."""
    settings = [getattr(config, name) for name in FEATURE_SETTINGS]
    if config.clip_step or config.crop:  # settings that came later: without them, features are as before
        settings += [config.clip_step, config.crop, fingerprint(_crops(config))]
    if config.whole_frame:
        settings.append("whole_frame")
    return digest([FEATURES_VERSION, *settings, fingerprint(_weights(config)), *_revision(config)])


def _revision(config: PrepareConfig) -> list[Any]:
    return [REVISIONS[config.backbone]] if config.backbone in REVISIONS else []


def _crops(config: PrepareConfig) -> list[pathlib.Path]:
    """The file of regions, if there is one."""
    path = file_of(config.crop)
    return [path] if path and path.is_file() else []


def _weights(config: PrepareConfig) -> list[pathlib.Path]:
    """The files of the backbone's weights, if it has any; whether it should, its `check` knows."""
    path = pathlib.Path(config.backbone_weights)
    if config.backbone_weights and path.is_dir():
        return sorted(file for file in path.iterdir() if file.is_file())
    return [path] if path.is_file() else []


def _settings(config: PrepareConfig) -> dict[str, Any]:
    """The config without what does not change the result, such as how views differ if there are none."""
    idle = ["workers", *(["view"] if not config.views else []), *(["whole_frame"] if not config.whole_frame else [])]
    return {name: value for name, value in dataclasses.asdict(config).items() if not name.startswith(tuple(idle))}


def _prepare(
    config: PrepareConfig,
    corpus: Corpus,
    cache: pathlib.Path,
    prepared: Prepared,
    run: Runner | None,
    given: Lexicon | None,
) -> None:
    from videobert_jax.prepare import stages  # brings JAX, which a finished preparation does without

    stages.check(config)
    videos, problems = _planned(corpus)
    store = cache / f"features-{_features_key(config)}"
    preparation = stages.Preparation(config, corpus.transcripts, store, prepared, given)
    with exclusive(store):
        remove(prepared.blocks)  # they hold paths, which may have changed
        write_plan(prepared.plan, videos)
        (run or functools.partial(run_in_processes, workers=config.workers))(preparation.rounds())
    unreadable = preparation.unreadable()
    problems += unreadable
    summaries = preparation.summaries()
    if not summaries:
        write_json(prepared.report, {"quarantined": _as_dicts(problems)})
        raise PrepareError(f"none of {len(videos)} videos can be used; see {prepared.report}\n{summary({}, problems)}")
    usable = len(videos) - len(unreadable)
    _conclude(config, prepared, {"videos": len(corpus.sources), "usable videos": usable}, summaries, problems)


def _conclude(
    config: PrepareConfig,
    prepared: Prepared,
    counts: dict[str, int],
    summaries: Sequence[tuple[Block, ShardSummary]],
    problems: Sequence[Problem],
) -> None:
    """Writes the report and, when what was only needed on the way is gone, the manifest."""
    quality = read_json(prepared.quality, prepared.vocabulary)
    tokens = prepared.tokens()
    counts |= {"text vocabulary": tokens.text_size, "visual vocabulary": tokens.visual_size}
    counts |= {"visual words in use": int(quality["used"])}
    repairs: collections.Counter[str] = collections.Counter()
    held = collections.Counter({f"{split} sentences": 0 for split in (TRAIN, VALIDATION)})
    originals = [shard for block, shard in summaries if not view_number(block.split)]
    for shard in originals:
        repairs += shard.repairs
    for block, shard in summaries:
        held.update({f"{block.split} {name}": count for name, count in shard.counts.items()})
    counts |= held
    problems = list(dict.fromkeys([*problems, *(problem for shard in originals for problem in shard.problems)]))
    report = {"counts": counts, "repairs": repairs, "vocabulary": quality, "quarantined": _as_dicts(problems)}
    write_json(prepared.report, report)
    remove(prepared.blocks)
    prepared.plan.unlink()
    write_json(prepared.manifest, {"version": VERSION, "config": _settings(config), "counts": counts})
    print("\n".join([f"prepared {prepared.folder}", summary(counts, problems), *_warnings(config, counts)]))


def _warnings(config: PrepareConfig, counts: Mapping[str, int]) -> Iterator[str]:
    if counts["usable videos"] == 1:
        yield "  warning: the only video is both trained on and held out; no figure will mean anything"
    if not counts["train sentences"]:
        yield "  warning: no sentence is said during a training video; only video-only examples can be made"
    elif not counts["validation sentences"]:
        yield "  warning: no sentence is said during a held-out video; the held-out figures will be of video alone"
    words, asked = counts["visual words in use"], config.branching**config.depth
    if 2 * words < asked:
        yield f"  warning: {words:,} of {asked:,} visual words are in use; lower --config.prepare.depth, or add videos"


def _planned(corpus: Corpus) -> tuple[list[Planned], list[Problem]]:
    """The videos that the annotations do not exclude, and the problems so far."""
    annotations: Mapping[str, Annotation] = {}
    problems = list(corpus.problems)
    if corpus.annotations:
        annotations, flaws = read_annotations(corpus.annotations, [source.video_id for source in corpus.sources])
        problems += flaws
        if named := {source.video_id for source in corpus.sources} & annotations.keys():
            unnamed = len(corpus.sources) - len(named)
            reason = "are named in no annotation: they are trained on; take out those that are not to be seen"
            problems += [Problem(f"{unnamed:,} videos", "annotations", reason)] if unnamed else []
    excluded = {video_id for video_id, annotation in annotations.items() if annotation.split is None}
    videos = [
        Planned(
            source.video_id,
            str(source.video.absolute()),
            str(source.transcript.absolute()) if source.transcript else None,
            annotations.get(source.video_id),
        )
        for source in corpus.sources
        if source.video_id not in excluded
    ]
    return videos, problems


def _as_dicts(problems: Sequence[Problem]) -> list[dict[str, str]]:
    return [dataclasses.asdict(problem) for problem in sorted(problems)]


@contextlib.contextmanager
def _explained(cache: pathlib.Path) -> Iterator[None]:
    """Turns the errors of a full, forbidden or damaged disk into advice."""
    try:
        yield
    except MissingError:
        raise
    except (FileNotFoundError, DamagedError, FormatError) as error:
        raise PrepareError(str(error)) from error
    except Exception as error:  # tokenizers raises no less, ArrayRecord RuntimeError
        reason = getattr(error, "errno", None)
        if reason in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in str(error):
            raise PrepareError(
                f"the disk of the cache {cache} is full; what is finished is kept: free some space, or name another "
                "folder with --config.data.cache, and run the same command again"
            ) from error
        if reason in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise PrepareError(f"{error}; the cache is set by --config.data.cache") from error
        if isinstance(error, RoundsError):
            raise PrepareError(str(error)) from error
        raise
