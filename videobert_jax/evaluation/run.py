"""The end of a run: its newest or best checkpoint is evaluated, and the report is drawn."""

import pathlib
from collections.abc import Mapping

from videobert_jax.data.prepared import Prepared
from videobert_jax.evaluation import evaluator, use_of_video
from videobert_jax.evaluation.report import contents
from videobert_jax.evaluation.report.page import render
from videobert_jax.evaluation.report.terminal import table
from videobert_jax.evaluation.result import Result
from videobert_jax.files import write_text
from videobert_jax.inference.model import load
from videobert_jax.training.reporting import writers
from videobert_jax.training.workdir import Workdir


def evaluate(folder: pathlib.Path, prepared: Prepared | None = None) -> Mapping[str, Result]:
    """Runs the evaluators of a run, prints their scores and writes results and report.

    Only one process has to call it.

    Args:
      folder: the workdir.
      prepared: what to evaluate on; by default what the run was trained on.

    Raises as `inference.model.load` and `Workdir.prepared` do.
    """
    workdir = Workdir(folder)
    prepared = prepared or workdir.prepared()
    model = load(folder)
    results = evaluator.at_end(model, workdir, prepared)
    for name, result in results.items():
        if name == "zero_shot":
            print(table(result.details, result.details["held_out"]))
        else:
            print("\n".join(f"{name}, {metric}: {value:.3f}" for metric, value in result.metrics.items()))
    history = writers.read(workdir.metrics)
    if sentence := use_of_video.told(history):
        print(sentence)
    page = render(contents.gather(model, prepared, results, history))
    write_text(workdir.page, page)
    print(f"report: {workdir.page}")
    return results
