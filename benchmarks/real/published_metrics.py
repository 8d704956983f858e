"""Our metrics on published predictions beside the published figures, which they have to equal.

    python benchmarks/real/published_metrics.py FOLDER ...

Each FOLDER is a clone of jayleicn/moment_detr, which has QVHighlights' validation set and a model's moments and
highlights of it, or of doc-doc/NExT-QA, which has a model's answers to its validation set. Ends with 1 if a figure
differs in the decimals that are published.
"""

import argparse
import csv
import json
import pathlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from videobert_jax.metrics import answers, moments
from videobert_jax.metrics.moments import Query

Row = tuple[str, float, float]  # name, ours and the published figure, in per cent

CLIP_SECONDS = 2.0
MOMENTS = {  # theirs -> ours
    "MR-full-R1@0.5": "r1_at_0.5",
    "MR-full-R1@0.7": "r1_at_0.7",
    "MR-full-mAP": "map",
    "MR-full-mAP@0.5": "map_at_0.5",
    "MR-full-mAP@0.75": "map_at_0.75",
    "MR-short-mAP": "map_short",
    "MR-middle-mAP": "map_middle",
    "MR-long-mAP": "map_long",
}
HIGHLIGHTS = {"Fair": "fair", "Good": "good", "VeryGood": "very_good"}
NEXT_QA = {"all": 49.74, "causal": 46.26, "temporal": 50.74, "descriptive": 59.33}  # HGA with BERT, in its README


def main() -> None:
    """Prints a line for each figure: ours and the published one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", metavar="FOLDER", type=pathlib.Path, nargs="+")
    different = 0
    for folder in parser.parse_args().folders:
        if (folder / "standalone_eval").is_dir():
            rows = qv_highlights(folder)
        elif (folder / "dataset" / "nextqa").is_dir():
            rows = next_qa(folder)
        else:
            parser.error(f"{folder} is a clone of neither repository; clone one of them, and name its folder")
        for name, ours, published in rows:
            same = f"{ours:.2f}" == f"{published:.2f}"
            different += not same
            print(f"{name:24} {ours:10.4f} {published:8.2f}{'' if same else '  differs'}")
    sys.exit(1 if different else 0)


def qv_highlights(clone: pathlib.Path) -> Iterator[Row]:
    """Moments and highlights (Lei et al. 2021)."""
    published = json.loads((clone / "standalone_eval" / "sample_val_preds_metrics_raw.json").read_text())["brief"]
    predictions = json_lines(clone / "standalone_eval" / "sample_val_preds.jsonl")
    truth = {line["qid"]: line for line in json_lines(clone / "data" / "highlight_val_release.jsonl")}
    queries = [
        Query(surest_first(line["pred_relevant_windows"]), np.array(truth[line["qid"]]["relevant_windows"]))
        for line in predictions
    ]
    found = moments.moment_retrieval(queries)
    for theirs, name in MOMENTS.items():
        yield theirs, 100 * found[name].value, published[theirs]
    scores = [np.array(line["pred_saliency_scores"]) for line in predictions]
    rated = [ratings(truth[line["qid"]]) for line in predictions]
    for theirs, name in HIGHLIGHTS.items():
        of_clips = moments.highlight_detection(scores, rated, moments.RATINGS[name])
        yield f"HL-min-{theirs}-mAP", 100 * of_clips["map"].value, published[f"HL-min-{theirs}-mAP"]
        yield f"HL-min-{theirs}-Hit1", 100 * of_clips["hit_at_1"].value, published[f"HL-min-{theirs}-Hit1"]


def json_lines(path: pathlib.Path) -> list[dict[str, Any]]:
    """The objects of a JSON lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def surest_first(windows: list[list[float]]) -> np.ndarray:
    """Windows [n, 2] by their score, the third number; the first ten in the file, as in the published evaluation."""
    counted = np.array(windows[: moments.MAX_WINDOWS])
    return counted[np.argsort(-counted[:, 2], kind="stable"), :2]


def ratings(query: Mapping[str, Any]) -> np.ndarray:
    """Ratings [clips, raters] of all clips of a query's video, 0 for those that are not relevant."""
    rated = np.zeros((int(query["duration"] / CLIP_SECONDS), 3))
    rated[query["relevant_clip_ids"]] = query["saliency_scores"]
    return rated


def next_qa(clone: pathlib.Path) -> Iterator[Row]:
    """Answers out of five (Xiao et al. 2021)."""
    given = json.loads((clone / "results" / "HGA-bert-ft-h256-val.json").read_text())
    with (clone / "dataset" / "nextqa" / "val.csv").open(newline="") as file:
        types = {f"{row['video']}_{row['qid']}": row["type"] for row in csv.DictReader(file)}
    correct = [given[name]["answer"] == given[name]["prediction"] for name in types]
    found = answers.accuracy(correct, list(types.values()), answers.NEXT_QA)
    for kind, published in NEXT_QA.items():
        yield f"NExT-QA, {kind}", 100 * found[kind].value, published


if __name__ == "__main__":
    main()
