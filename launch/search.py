"""Builds an index of videos with a run trained for retrieval or recommendation, and searches it.

    python launch/search.py --workdir=runs/retrieval --build [--splits=test] [--window=5] \\
        [--tags=unsafe=runs/moderation,runs/sentiment]
    python launch/search.py --workdir=runs/retrieval --text="peeling a carrot" [--where="unsafe<0.3,sentiment=good"] \\
        [--rerank=runs/demo]
    python launch/search.py --workdir=runs/recommendation --viewer=17

The index is in the workdir unless --index names another folder. It prints a table, or with --json a list of objects.
"""

import dataclasses
import json
import math
import pathlib
from collections.abc import Sequence
from typing import Any

from absl import flags, logging

from videobert_jax import cli
from videobert_jax.data.footage import Footage
from videobert_jax.data.prepared import Prepared
from videobert_jax.data.segments import Segment
from videobert_jax.errors import ConfigError, UserError
from videobert_jax.inference import recommend, rerank, tags, vectors
from videobert_jax.inference.approximate import require_faiss
from videobert_jax.inference.index import ENGINES, Found, Index, inputs_of, require_same_ids
from videobert_jax.inference.model import Model, load
from videobert_jax.tasks.recommendation import catalogue, histories_of
from videobert_jax.training.workdir import Workdir

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of a run, trained for retrieval or recommendation.")
_INDEX = flags.DEFINE_string("index", "", "Folder of the index; by default 'index' in the workdir.")
_BUILD = flags.DEFINE_bool("build", False, "Build the index, in place of one that is there.")
_SPLITS = flags.DEFINE_list("splits", ["test"], "Whose videos are indexed: train, validation, test.")
_WINDOW = flags.DEFINE_float("window", 0.0, "Seconds of the windows that videos are cut into; 0: whole.", lower_bound=0)
_TAGS = flags.DEFINE_list("tags", [], "Classification runs that tag what is indexed, as WORKDIR or NAME=WORKDIR.")
_TEXT = flags.DEFINE_string("text", None, "Search for a text.")
_VIDEO = flags.DEFINE_string("video", None, "Search for what is like a video file.")
_VIEWER = flags.DEFINE_string("viewer", None, "Recommend to a viewer of config.task.histories.")
_VIEWERS_FOR = flags.DEFINE_string("viewers_for", None, "Find viewers for an indexed video, or for a video file.")
_TOP = flags.DEFINE_integer("top", 10, "How many are returned.", lower_bound=1)
_WHERE = flags.DEFINE_string("where", "", 'A filter over tags, such as "unsafe<0.3,sentiment=good".')
_ENGINE = flags.DEFINE_enum("engine", "exact", ENGINES, "The last two need the extra [index].")
_RERANK = flags.DEFINE_string("rerank", "", "Pretrained workdir whose alignment score re-orders what a text finds.")
_CANDIDATES = flags.DEFINE_integer("candidates", rerank.CANDIDATES, "How many --rerank re-orders.", lower_bound=1)
_JSON = flags.DEFINE_bool("json", False, "Print JSON.")

_QUERIES = (_TEXT, _VIDEO, _VIEWER, _VIEWERS_FOR)


def main(_: list[str]) -> None:
    """Builds, or searches, or both."""
    logging.set_verbosity(logging.WARNING)
    asked = [flag.name for flag in _QUERIES if flag.value is not None]
    if len(asked) > 1 or not (asked or _BUILD.value):
        options = ", ".join(f"--{flag.name}" for flag in _QUERIES)
        raise ConfigError(f"the queries are {asked}, expected --build or exactly one of {options}")
    _require_sense()
    workdir = Workdir(pathlib.Path(_WORKDIR.value or "").expanduser())
    folder = pathlib.Path(_INDEX.value).expanduser() if _INDEX.value else workdir.folder / "index"
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--index is {str(folder)!r}, which is a file; expected a folder, or a name for a new one")
    model = load(workdir.folder)
    if _BUILD.value:
        build(model, workdir.prepared(), folder)
    if asked:
        index = Index.load(folder)
        index.require_model(model)
        show(_rows(model, index, workdir))


def _require_sense() -> None:
    """Raises ConfigError for flags that would be ignored, or that fail after minutes."""
    wrong = [
        (_RERANK, _TEXT.value is None, "with --text alone"),
        (_WHERE, _VIEWERS_FOR.value is not None, "without --viewers_for: it chooses videos, not viewers"),
        (_TAGS, not _BUILD.value, "with --build alone"),
    ]
    for flag, ignored, expected in wrong:
        if flag.value and ignored:
            raise ConfigError(f"--{flag.name} is {flag.value!r}, expected {expected}; leave it out")
    if not math.isfinite(_WINDOW.value):
        raise ConfigError(f"--window is {_WINDOW.value}, expected seconds")
    names = [path.rpartition("=")[0] or pathlib.Path(path).name for path in _TAGS.value]
    for name, values in (("splits", _SPLITS.value), ("tags", names)):
        if len(set(values)) < len(values):
            raise ConfigError(f"--{name} names {', '.join(values)}, expected different names; name each once")
    if _ENGINE.value != "exact":
        require_faiss(_ENGINE.value)


def build(model: Model, prepared: Prepared, folder: pathlib.Path) -> None:
    """Builds the index and saves it."""
    named = [each.rpartition("=") for each in _TAGS.value]
    classifiers = {name or pathlib.Path(path).name: load(path) for name, _, path in named}
    for each in classifiers.values():
        require_same_ids(each, prepared)
    index = Index.of(model, prepared, _SPLITS.value, _WINDOW.value, tags.tagger(classifiers))
    if _ENGINE.value == "hnsw":
        index = index.with_graph()
    index.save(folder)
    print(f"{folder} has {len(index.entries):,} entries")


def _rows(model: Model, index: Index, workdir: Workdir) -> list[dict[str, Any]]:
    """Searches as the flags say; returns the fields of each result."""
    if _VIEWERS_FOR.value is not None:
        return [one._asdict() for one in viewers_for(model, index, workdir.prepared(), _VIEWERS_FOR.value)]
    if _VIEWER.value is not None:
        found = for_viewer(model, index, workdir.prepared(), _VIEWER.value)
    elif _VIDEO.value is not None:
        vector = vectors.of_segments(model, model.watch(_VIDEO.value), inputs_of(model))
        found = index.search(vector, _TOP.value, _WHERE.value, engine=_ENGINE.value)[0]
    else:
        found = for_text(model, index, workdir, _TEXT.value or "")
    return [{**dataclasses.asdict(one.entry), "score": one.score} for one in found]


def for_text(model: Model, index: Index, workdir: Workdir, text: str) -> list[Found]:
    """The entries nearest to a text, re-ordered with --rerank."""
    words = model.words.encode(text)
    count = max(_TOP.value, _CANDIDATES.value) if _RERANK.value else _TOP.value
    found = index.search(vectors.of_query(model, words, text), count, _WHERE.value, engine=_ENGINE.value)[0]
    if not _RERANK.value:
        return found
    other, first = load(_RERANK.value), found[: _CANDIDATES.value]
    require_same_ids(other, model.lexicon)
    segments = _segments(workdir.prepared(), first)
    first = rerank.reordered(other, words, first, segments, rerank.weight_of(model))
    return [*first, *found[_CANDIDATES.value :]][: _TOP.value]


def _segments(prepared: Prepared, found: Sequence[Found]) -> list[Segment]:
    """The segments of entries."""
    videos = {one.entry.video_id for one in found}
    records = [one for split in prepared.splits for one in prepared.source(split) if one.video_id in videos]
    footage = Footage(records)
    if missing := [name for name in videos if name not in footage]:
        raise UserError(f"{prepared.folder} has no video {missing[0]!r}, which is in the index; build the index again")
    segments = [footage.span(one.entry.video_id, one.entry.start, one.entry.end) for one in found]
    return [one for one in segments if one is not None]


def for_viewer(model: Model, index: Index, prepared: Prepared, name: str) -> list[Found]:
    """The entries recommended to a viewer of config.task.histories."""
    videos = catalogue(prepared)
    histories = histories_of(recommend.recommends(model), videos)
    if name not in histories:
        some = ", ".join(sorted(histories)[:5])
        raise UserError(f"--viewer is {name!r}, expected one of {len(histories):,} viewers, such as {some}")
    watched = [one.video_id for one in histories[name]]
    viewer = recommend.of_history(model, [videos[each] for each in watched])
    return recommend.for_viewer(index, viewer, watched, _TOP.value, _WHERE.value, _ENGINE.value)


def viewers_for(model: Model, index: Index, prepared: Prepared, video: str) -> list[recommend.Viewer]:
    """The viewers for a video: one in the index, or a file."""
    section, videos = recommend.recommends(model), catalogue(prepared)
    histories = {
        name: [one.video_id for one in viewings] for name, viewings in histories_of(section, videos).items() if viewings
    }
    known = {one for history in histories.values() for one in history}
    names = sorted(known)
    of_videos = dict(
        zip(names, vectors.of_segments(model, [videos[one] for one in names], section.inputs), strict=True)
    )
    own = [vector for vector, one in zip(index.vectors, index.entries, strict=True) if one.video_id == video]
    if not own and not pathlib.Path(video).expanduser().exists():
        raise UserError(f"--viewers_for is {video!r}, expected a video of the index or a file that exists")
    vector = recommend.mean(own or list(vectors.of_segments(model, model.watch(video), section.inputs)))
    return recommend.Viewers.of(histories, of_videos).for_video(vector, video, _TOP.value)


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Prints the results, the best first, as a table or as JSON."""
    if _JSON.value:
        print(json.dumps(list(rows), indent=2, ensure_ascii=False))
        return
    if not rows:
        print("nothing passes the filter" if _WHERE.value else "nothing was found")
    for rank, row in enumerate(rows, start=1):
        if "name" in row:
            print(f"{rank:3}  {row['score']:6.3f}  viewer {row['name']}")
        else:
            seconds = f"{row['start']:.1f}-{row['end']:.1f} s"
            print(f"{rank:3}  {row['score']:6.3f}  {row['video_id']:<20}  {seconds:>14}  {row['text'][:60]}")


if __name__ == "__main__":
    flags.mark_flag_as_required("workdir")
    cli.run(main)
