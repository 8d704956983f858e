"""The report of a run: one HTML page with its pictures and curves inside."""

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2

from videobert_jax.evaluation.report.curves import Chart, Curve, Line, chart
from videobert_jax.evaluation.report.readings import Reading
from videobert_jax.evaluation.report.terminal import COLUMNS, NOT_MEASURED
from videobert_jax.evaluation.zero_shot import BLANKS, TOPS
from videobert_jax.inference.storyboard import Picturing

# Suffix of the metrics of pretraining -> its name on the page.
TASKS = {"text": "Words", "video": "Visual words", "alignment": "Alignment"}


@dataclasses.dataclass(frozen=True)
class Contents:
    """What the page shows.

    Attributes:
      result: of the zero-shot cloze, as in ``zero_shot.json``; empty: the model was not asked.
      held_out: means over held-out batches; the page shows those named ``accuracy/text``, ``accuracy/video`` and
        ``accuracy/alignment``.
      facts: names and values that describe the run, shown under the title.
      curves: of every metric, from `curves.curves`.
      readings: held-out segments with the words that the model fills in.
      picturings: sentences with the visual words that the model predicts.
      scores: the metrics of all other evaluators that ran at the end.
      use_of_video: what the newest measure of it says, as a sentence; "": there is none.
    """

    result: Mapping[str, Any]
    held_out: Mapping[str, float]
    facts: Mapping[str, str]
    curves: Mapping[str, Curve]
    readings: Sequence[Reading]
    picturings: Sequence[Picturing]
    scores: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    use_of_video: str = ""


@dataclasses.dataclass(frozen=True)
class Figure:
    """A large number at the top of the page; `value` is a share of 1."""

    value: float
    title: str
    note: str


def render(contents: Contents) -> str:
    """Renders one self-contained HTML document."""
    template = environment().get_template("page.html")
    return template.render(
        result=contents.result,
        held_out=contents.held_out,
        facts=contents.facts,
        readings=contents.readings,
        picturings=contents.picturings,
        scores=contents.scores,
        use_of_video=contents.use_of_video,
        figures=_cloze_figures(contents.result) or _held_out_figures(contents.held_out),
        charts=_charts(contents.curves),
        blanks=BLANKS,
        tops=TOPS,
        columns=COLUMNS,
        zip=zip,
    )


def environment(package: str = __package__) -> jinja2.Environment:
    """Loads the templates of a package and of this one; they escape every value, an undefined name is an error."""
    templates = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(name, "") for name in (package, __package__)]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"percent": _percent, "data_url": _data_url}
    return templates


def _percent(share: float | None, decimals: int = 0) -> str:
    return NOT_MEASURED if share is None else f"{share:.{decimals}%}"


def _data_url(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _cloze_figures(result: Mapping[str, Any]) -> list[Figure]:
    """The top-1 accuracies that were measured."""
    figures = []
    for blank in BLANKS if result else ():
        scores = result[f"{blank}_top1"]
        baselines = [key for key in ("language_prior", "chance") if scores[key] is not None]
        note = ", ".join(f"{_percent(scores[key])} {COLUMNS[key]}" for key in baselines)
        for key, title in (("cross_modal", f"{blank}s correct"), ("unseen_pairs", f"{blank}s correct, unseen pairs")):
            if scores[key] is not None:
                figures.append(Figure(scores[key], title, note))
    return figures


def _held_out_figures(held_out: Mapping[str, float]) -> list[Figure]:
    titles = {"text": "masked words correct", "video": "masked visual words correct", "alignment": "alignments correct"}
    accuracies = {task: held_out.get(f"accuracy/{task}") for task in TASKS}
    return [
        Figure(accuracy, titles[task], "on held-out batches")
        for task, accuracy in accuracies.items()
        if accuracy is not None
    ]


def _charts(curves: Mapping[str, Curve]) -> list[tuple[str, str, Chart]]:
    """Title, measure and chart of each loss, then of each accuracy: lines for training and for held-out batches.

    Pretraining has more metrics than are shown; any other task shows all that it has, and none that it has not.
    """
    measured = {name.partition("/")[2] for name in curves if name.startswith(("loss/", "accuracy/"))}
    pretraining = not measured or bool(measured & TASKS.keys())
    titles = TASKS if pretraining else {name: name for name in sorted(measured)}
    charts = []
    for measure, top in (("loss", None), ("accuracy", 1.0)):
        for task, title in titles.items():
            name = f"{measure}/{task}"
            lines = [Line(curves.get(name, ()), "train"), Line(curves.get(f"held_out/{name}", ()), "held")]
            if pretraining or any(line.curve for line in lines):
                charts.append((title, measure, chart(lines, top=top, percent=measure == "accuracy")))
    return charts
