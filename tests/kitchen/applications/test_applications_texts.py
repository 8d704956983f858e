"""Captions, labels, chapters, summaries and moments, as the readers of the field's formats see them."""

import collections
import csv
import dataclasses
import io
import json
from pathlib import Path

import pytest

from videobert_jax.formats.files import read_table
from videobert_jax.formats.recognise import read_annotations
from videobert_jax.formats.tables import TABLES
from videobert_jax.kitchen.applications import labels, moments
from videobert_jax.kitchen.applications.captions import annotation, article, counted, located
from videobert_jax.kitchen.applications.longs import plan_longs
from videobert_jax.kitchen.applications.moments import CLIP, HIGH, runs
from videobert_jax.kitchen.applications.plan import Settings
from videobert_jax.kitchen.applications.shorts import plan_shorts

SHORTS, LONGS = plan_shorts(Settings()), plan_longs(Settings())
VIDEOS = {video.name: video for video in (*SHORTS, *LONGS)}
QUERIES = list(moments.queries(LONGS))


def test_words_have_their_small_words() -> None:
    assert [article(food) for food in ("carrot", "onion", "bread")] == ["a carrot", "an onion", "some bread"]
    assert [counted("cup", number) for number in (1, 3)] == ["one cup", "three cups"]
    assert [located(place) for place in ("kitchen", "beach", "market")] == [
        "in the kitchen",
        "on the beach",
        "at the market",
    ]


def test_every_step_has_five_captions_of_different_wording(tmp_path: Path) -> None:
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps({"database": {name: annotation(video) for name, video in VIDEOS.items()}}))
    found, problems = read_annotations(path, VIDEOS)
    assert not problems
    for name, video in VIDEOS.items():
        split = {"training": "train", "testing": "test"}.get(video.split, video.split)
        assert found[name].split == split
        if split is None:
            continue  # captions of videos that are not used are not kept
        captions = collections.defaultdict(list)
        for caption in found[name].captions:
            captions[caption.start, caption.end].append(caption.text)
        assert list(captions) == [(step.start, step.end) for step in video.steps]
        places = [(chapter.surroundings, step) for chapter in video.chapters for step in chapter.steps]
        for (around, step), texts in zip(places, captions.values(), strict=True):
            assert len(set(texts)) == 5
            assert step.object in texts[0]
            assert step.tool in texts[2]
            assert around.mat in texts[3] or around.sleeve in texts[3]
            assert counted(around.item, around.number) in texts[4]


def test_the_wording_of_captions_varies() -> None:
    texts = [a["sentence"] for video in SHORTS for a in annotation(video)["annotations"]]
    assert len(set(texts)) / len(texts) > 0.5


@pytest.mark.parametrize("name", labels.SETS)
def test_tables_have_the_columns_of_kinetics_and_times_within_the_videos(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.csv"
    path.write_text(labels.label_table(labels.SETS[name], list(VIDEOS.values())))
    columns, rows = read_table(path)
    assert next(table for table in TABLES if table.columns <= columns).name == "Kinetics'"
    seen = set()
    for _, row in rows:
        video = VIDEOS[row["youtube_id"]]
        assert row["split"] == video.split
        assert 0 <= float(row["time_start"]) < float(row["time_end"]) <= video.duration
        seen.add((row["youtube_id"], row["label"]))
    expected = {
        "action": {(v.name, s.verb) for v in VIDEOS.values() for s in v.steps},
        "tool": {(v.name, s.tool) for v in VIDEOS.values() for s in v.steps},
        "food": {(v.name, s.object) for v in VIDEOS.values() for s in v.steps}
        | {(v.name, food) for v in VIDEOS.values() for c in v.chapters for food in c.surroundings.others},
        "scene": {(v.name, c.surroundings.place) for v in VIDEOS.values() for c in v.chapters},
        "sentiment": {(v.name, v.sentiment) for v in VIDEOS.values() if v.tone},
        "unsafe": {(v.name, h.kind) for v in VIDEOS.values() for h in v.hazards},
    }
    assert seen == expected[name]


def test_a_table_keeps_commas() -> None:
    assert list(csv.reader(io.StringIO(labels.table(("a", "b"), [("x, y", 1.5)])))) == [["a", "b"], ["x, y", "1.5"]]


def test_chapters_cover_the_video_and_the_summary_names_them() -> None:
    for video in LONGS:
        entry, summary = moments.chapters(video), moments.summary(video)
        assert entry["duration"] == video.duration
        assert len(entry["timestamps"]) == len(entry["sentences"]) == len(video.chapters)
        assert all(chapter.title.lower() in summary for chapter in video.chapters)
        assert summary.count(".") == len(video.chapters) + 1


def test_windows_clips_and_scores_of_moments_agree() -> None:
    assert [query["qid"] for query in QUERIES] == list(range(len(QUERIES)))
    for query in QUERIES:
        video = VIDEOS[str(query["vid"])]
        assert (query["duration"], query["split"]) == (video.duration, video.split)
        clips, windows, scores = query["relevant_clip_ids"], query["relevant_windows"], query["saliency_scores"]
        assert clips
        assert clips == [clip for s, e in windows for clip in range(int(s / CLIP), int(e / CLIP))]
        assert len(clips) == len(scores)
        assert all(len(rated) == 3 and min(rated) >= 0 and max(rated) <= 4 for rated in scores)
        assert windows[-1][1] <= video.duration


def test_windows_begin_and_end_where_steps_do() -> None:
    for query in QUERIES:
        video = VIDEOS[query["vid"]]
        spans = [(step.start, step.end) for step in video.steps]
        spans += [(chapter.start, chapter.end) for chapter in video.chapters]
        spans += [(chapter.outcome.start, chapter.outcome.end) for chapter in video.chapters]
        borders = [time for span in spans for time in span]
        for border in (time for window in query["relevant_windows"] for time in window):
            assert min(abs(border - time) for time in borders) <= CLIP / 2
    for video in LONGS:
        for query, step in zip((q for q in QUERIES if q["vid"] == video.name), video.steps, strict=False):
            inside = [clip for clip in query["relevant_clip_ids"] if step.start <= clip * CLIP + 1 < step.end]
            assert len(inside) * CLIP == pytest.approx(step.end - step.start, abs=CLIP)
            break  # the first query of a video is about its first step


def test_a_title_that_occurs_twice_is_one_query_with_both_chapters() -> None:
    first, second, *others = LONGS[0].chapters
    again = (first, second, *(dataclasses.replace(chapter, title=first.title) for chapter in others[:1]), *others[1:])
    video = dataclasses.replace(LONGS[0], chapters=again)
    (query,) = (one for one in moments.queries([video]) if first.title.lower() in one["query"])
    for chapter in (first, again[2]):
        assert any(s <= chapter.start + CLIP and chapter.end - CLIP <= e for s, e in query["relevant_windows"])


def test_all_occurrences_of_a_moment_are_relevant_and_close_ups_most_salient() -> None:
    assert sum(len(query["relevant_windows"]) > 1 for query in QUERIES) > 100
    lengths = [e - s for query in QUERIES for s, e in query["relevant_windows"]]
    assert min(lengths) <= 10 < 30 < max(lengths)  # short, middle and long ones, as QVHighlights tells them apart
    video = LONGS[0]
    step = video.steps[0]
    again = [s for s in video.steps if (s.verb, s.object) == (step.verb, step.object)]
    query = QUERIES[0]
    for s in again:
        assert any(start <= (s.start + s.end) / 2 < end for start, end in query["relevant_windows"])
    rated = dict(zip(query["relevant_clip_ids"], query["saliency_scores"], strict=True))
    assert step.close
    assert sum(rated[int((step.close[0] + step.close[1]) / 2 // CLIP)]) >= 3 * HIGH - 3
    assert runs([1, 2, 4, 7, 8]) == [[1, 2], [4], [7, 8]]
