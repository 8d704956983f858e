"""Recommendation: the next video of a viewer, known by what it shows, so that new videos can be recommended too."""

import collections
import functools
import pathlib
from collections.abc import Mapping, Sequence

from videobert_jax.config import Config, RecommendationConfig
from videobert_jax.data.footage import Footage
from videobert_jax.data.prepared import TEST, TRAIN, VALIDATION, Prepared, videos_of, view_number
from videobert_jax.data.rows.viewings import ViewingRows, Watched
from videobert_jax.data.segments import Segment
from videobert_jax.errors import ConfigError
from videobert_jax.formats.histories import Viewing, read_histories
from videobert_jax.model.dual_encoder import DualEncoder
from videobert_jax.objectives.contrastive import NextVideo
from videobert_jax.tasks.labelled import left_out, unusable, warn_of_silence
from videobert_jax.tasks.task import Task, as_read, frozen_tokens, frozen_trunk
from videobert_jax.tokens import TokenSpace

ORDER = (TRAIN, VALIDATION, TEST)  # what is asked about a split must not be known from a later one


def make(config: Config, tokens: TokenSpace) -> Task:
    """The task of a config. Raises ConfigError if a row has no room for a history."""
    section, count = config.task, config.data.max_sequences
    assert isinstance(section, RecommendationConfig)
    if count < 2:
        raise ConfigError(f"config.data.max_sequences is {count}, expected at least 2: the next video and one before")
    network = DualEncoder(config.model, tokens)
    return Task(
        network=network,
        objective=NextVideo(),
        row=ViewingRows(as_read(network), config.data, section.inputs),
        group=1,
        examples=functools.partial(examples_of, section),
        frozen=frozen_trunk(config) if section.frozen else frozen_tokens(config.model, tokens),
    )


def catalogue(prepared: Prepared, split: str = TRAIN) -> dict[str, Segment]:
    """All videos of all splits, each as one segment: who watches what does not depend on a video's own split.

    Args:
      prepared: the folder.
      split: if it is one of views, they are in the place of their videos.
    """
    found = {}
    for one in (*prepared.splits, *([split] if view_number(split) else [])):
        footage = Footage(prepared.source(one))
        for video_id in footage.video_ids:
            segment = footage.span(video_id, 0.0, float("inf"))
            assert segment is not None  # every video has a clip
            found[video_id] = segment
    return found


def histories_of(section: RecommendationConfig, videos: Mapping[str, Segment]) -> dict[str, list[Viewing]]:
    """What each viewer watched of these videos, in order of time; other videos are counted in a warning.

    Raises ConfigError if there is no such file, FormatError if it is no such table.
    """
    path = pathlib.Path(section.histories)
    if not path.is_file():
        raise ConfigError(f"config.task.histories is {section.histories!r}, expected a file that exists")
    histories, problems = read_histories(path)
    unusable("config.task.histories", problems)
    known = {user: [one for one in viewings if one.video_id in videos] for user, viewings in histories.items()}
    kept = sum(map(len, known.values()))
    lost = sum(map(len, histories.values())) - kept
    left_out("viewings", collections.Counter({"their videos are not among the prepared ones": lost}), kept)
    return known


def examples_of(section: RecommendationConfig, prepared: Prepared, split: str) -> Sequence[Watched]:
    """Each viewing of a split that has one before it, with all before it that are of no later split.

    Held-out viewings without one are counted in a warning; of training videos, they are the first of each viewer.
    Raises ConfigError if nothing is left.
    """
    videos = catalogue(prepared, split)
    histories = histories_of(section, videos)
    counts = collections.Counter(one.video_id for each in histories.values() for one in each if one.split == TRAIN)
    most = max(counts.total(), 1)
    watched_in = videos_of(split)
    held_out, known = watched_in != TRAIN, ORDER[: ORDER.index(watched_in) + 1]
    found, lost = [], collections.Counter[str]()
    for user, viewings in sorted(histories.items()):
        for place, one in enumerate(viewings):
            if one.split != watched_in:
                continue
            before = tuple(videos[other.video_id] for other in viewings[:place] if other.split in known)
            lost["their viewers have no history: they watched nothing before"] += held_out and not before
            if before:
                frequency = max(counts[one.video_id], 1) / most
                found.append(Watched(user, before, videos[one.video_id], frequency))
    left_out(f"viewings of the split {split}", lost, len(found))
    if not found:
        raise ConfigError(
            f"config.task.histories is {section.histories!r}, which has no viewer of the split {split!r} with a video "
            "before the next"
        )
    warn_of_silence(section.inputs, split, [one.next for one in found])
    return found
