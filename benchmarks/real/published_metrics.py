"""Our metrics on published predictions, beside the published figures: they have to be the same.

    python benchmarks/real/published_metrics.py --moment_detr=CLONE --next_qa=CLONE

Clones of jayleicn/moment_detr, which has QVHighlights' validation set and a model's moments and highlights of it, and
of doc-doc/NExT-QA, which has a model's answers. Ends with 1 if a figure differs.
"""

import argparse
import csv
import json
import pathlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from videobert_jax.metrics import moments
from videobert_jax.metrics.moments import Query

CLIP_SECONDS = 2.0
NAMES = {  # theirs -> ours
    "MR-full-R1@0.5": "r1_at_0.5",
    "MR-full-R1@0.7": "r1_at_0.7",
    "MR-full-mAP": "map",
    "MR-full-mAP@0.5": "map_at_0.5",
    "MR-full-mAP@0.75": "map_at_0.75",
    "MR-short-mAP": "map_short",
    "MR-middle-mAP": "map_middle",
    "MR-long-mAP": "map_long",
}
RATINGS = {"Fair": 2, "Good": 3, "VeryGood": 4}
NEXT_QA = 49.74  # per cent, of HGA on the validation set; the next by kind of question
KINDS = {"C": "causal", "T": "temporal", "D": "descriptive"}


def main() -> None:
    """Prints a line a figure: ours and the published one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moment_detr", type=pathlib.Path)
    parser.add_argument("--next_qa", type=pathlib.Path)
    arguments = parser.parse_args()
    if not (arguments.moment_detr or arguments.next_qa):
        parser.error("name a clone, with --moment_detr or --next_qa")
    rows: list[tuple[str, float, float | None]] = []
    if arguments.moment_detr:
        rows += qv_highlights(arguments.moment_detr)
    if arguments.next_qa:
        rows += next_qa(arguments.next_qa)
    wrong = 0
    for name, ours, published in rows:
        differs = published is not None and abs(ours - published) > 0.005 + 1e-9
        wrong += differs
        print(f"{name:32} {ours:8.3f} {'' if published is None else f'{published:8.3f}'} {'DIFFERS' * differs}")
    sys.exit(1 if wrong else 0)


def qv_highlights(clone: pathlib.Path) -> Iterator[tuple[str, float, float]]:
    """Moments and highlights (Lei et al. 2021): (name, ours, published), in per cent."""
    evaluated = clone / "standalone_eval"
    published = json.loads((evaluated / "sample_val_preds_metrics_raw.json").read_text())["brief"]
    found = lines(evaluated / "sample_val_preds.jsonl")
    truth = {one["qid"]: one for one in lines(clone / "data" / "highlight_val_release.jsonl")}
    queries = [
        Query(best_first(one["pred_relevant_windows"]), np.array(truth[one["qid"]]["relevant_windows"]))
        for one in found
    ]
    ours = moments.moments(queries)
    for theirs, name in NAMES.items():
        yield theirs, 100 * ours[name], published[theirs]
    scores = [np.array(one["pred_saliency_scores"]) for one in found]
    rated = [ratings(truth[one["qid"]]) for one in found]
    for name, least in RATINGS.items():
        of_clips = moments.highlights(scores, rated, least)
        yield f"HL-min-{name}-mAP", 100 * of_clips["map"], published[f"HL-min-{name}-mAP"]
        yield f"HL-min-{name}-Hit1", 100 * of_clips["hit_at_1"], published[f"HL-min-{name}-Hit1"]


def lines(path: pathlib.Path) -> list[dict[str, Any]]:
    """The objects of a JSON lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def best_first(windows: list[list[float]]) -> np.ndarray:
    """Windows [n, 2] of the first that count, by their score, the third number."""
    some = np.array(windows[: moments.MOST])
    return some[np.argsort(-some[:, 2], kind="stable"), :2]


def ratings(query: Mapping[str, Any]) -> np.ndarray:
    """Ratings [clips, 3] of all clips of a query's video; of those that are not relevant 0."""
    rated = np.zeros((int(query["duration"] / CLIP_SECONDS), 3))
    rated[np.array(query["relevant_clip_ids"])] = query["saliency_scores"]
    return rated


def next_qa(clone: pathlib.Path) -> Iterator[tuple[str, float, float | None]]:
    """Answers out of five (Xiao et al. 2021): (name, ours, published), in per cent."""
    answers = json.loads((clone / "results" / "HGA-bert-ft-h256-val.json").read_text())
    with (clone / "dataset" / "nextqa" / "val.csv").open(newline="") as file:
        kinds = {f"{row['video']}_{row['qid']}": row["type"][0] for row in csv.DictReader(file)}
    right = {name: answers[name]["answer"] == answers[name]["prediction"] for name in kinds}
    yield "NExT-QA", 100 * float(np.mean(list(right.values()))), NEXT_QA
    for letter, kind in KINDS.items():
        yield f"NExT-QA, {kind}", 100 * float(np.mean([right[name] for name in kinds if kinds[name] == letter])), None


if __name__ == "__main__":
    main()
