"""Makes the table of the applications: corpus, pretraining, all runs, baselines, results."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence

from videobert_jax.applications import features_only, page, summary
from videobert_jax.applications.runs import Run, run_all
from videobert_jax.applications.suite import CORPUS, PRETRAINING, SEEDED, VARIANTS, Application, Measure
from videobert_jax.config import Config, LabelledConfig
from videobert_jax.errors import UserError
from videobert_jax.files import write_json, write_text
from videobert_jax.inference.model import Model, load
from videobert_jax.kitchen.applications.corpus import make_corpus
from videobert_jax.kitchen.applications.plan import Settings
from videobert_jax.prepare.pipeline import kitchen
from videobert_jax.training.workdir import Workdir

MARKS = "<!-- applications: written by `make applications` -->", "<!-- end of applications -->"
# What the runs from the pretrained one share with it, besides what `configs/*.py` take from its config.
PRETRAINING_VALUES = {
    "prepare.image_size": "160",
    "prepare.whole_frame": "True",  # what lies beside the mat is asked for
    "prepare.feature_size": "512",
    "model.visual_input": "both",
    # Half of what is said here does not tell what is seen, and most of it is told well by the words beside it: words
    # have to be read from clips alone, and clips from words alone, to learn what goes with what.
    "task.text_only": "0",
    "task.mask_text": "0.3",
    "task.mask_video": "0.2",
    "steps": "3200",
    "report.storyboards": "0",
}


@dataclasses.dataclass(frozen=True)
class Plan:
    """Folders of the measurement, and its size.

    Attributes:
      root: of the checkout.
      output: folder of the runs and the results.
      cache: folder of the corpus and of what is prepared.
      corpus: numbers of short and long videos.
      seeds: of the runs in `suite.SEEDED`.
      steps: of all runs; 0: as many as their configs say.
    """

    root: pathlib.Path
    output: pathlib.Path
    cache: pathlib.Path
    corpus: tuple[int, int] = (1000, 24)
    seeds: int = 1
    steps: int = 0

    @property
    def videos(self) -> pathlib.Path:
        """Folder of the rendered corpus."""
        return self.cache / f"applications-{self.corpus[0]}-{self.corpus[1]}"

    @property
    def pretrained(self) -> pathlib.Path:
        """Workdir of the run that all others start from."""
        return self.output / PRETRAINING

    @property
    def footage(self) -> pathlib.Path:
        """Folder of links to what is pretrained on: the demo's corpus and this one."""
        return self.cache / f"footage-{self.corpus[0]}-{self.corpus[1]}"

    def pretraining(self) -> Run:
        """The run that all others start from. It sees no label and no caption."""
        places = {"data.videos": str(self.footage / "videos"), "data.annotations": str(self.footage / "annotations")}
        return Run(self.pretrained, "configs/base.py", {**PRETRAINING_VALUES, **self._places(), **places})

    def run(self, application: Application, variant: str, seed: int) -> Run:
        """A run of an application."""
        own = {key: value.replace(CORPUS, str(self.videos)) for key, value in application.values.items()}
        values = {**own, **self._places(), **VARIANTS[variant], "seed": str(seed)}
        name = f"{application.name}-{variant}-{seed}"
        return Run(self.output / name, f"configs/{application.config}.py:{self.pretrained}", values)

    def runs(self, application: Application) -> dict[str, list[Run]]:
        """All runs of an application, by variant; one a seed."""
        return {
            variant: [self.run(application, variant, seed) for seed in range(self.seeds if variant in SEEDED else 1)]
            for variant in VARIANTS
        }

    def _places(self) -> dict[str, str]:
        steps = {"steps": str(self.steps)} if self.steps else {}
        places = {"data.videos": str(self.videos), "data.annotations": "", "data.cache": str(self.cache)}
        return {**places, **steps}


def measure(suite: Sequence[Application], plan: Plan, docs: pathlib.Path | None = None) -> str:
    """Runs what is missing, writes `summary.json`, `index.html` and the table in `docs`, and returns the table.

    Raises UserError if a run fails.
    """
    make_corpus(plan.videos, Settings(short=plan.corpus[0], long=plan.corpus[1]), workers=0)
    _gather(plan)
    run_all([plan.pretraining()], plan.root, together=False)
    all_runs = {application.name: plan.runs(application) for application in suite}
    first = [each[0] for variants in all_runs.values() for each in variants.values()]
    others = [run for variants in all_runs.values() for each in variants.values() for run in each[1:]]
    run_all(first + others, plan.root)
    sections = [
        section for application in suite for section in _sections(application, all_runs[application.name], plan)
    ]
    rows = [section.row for section in sections]
    text = json.dumps([dataclasses.asdict(row) for row in rows], indent=2, allow_nan=False)
    write_text(plan.output / "summary.json", f"{text}\n")
    commands = {
        run.folder.name: " ".join(run.command) for variants in all_runs.values() for run in variants["pretrained"]
    }
    write_text(plan.output / "index.html", page.render(sections, commands))
    table = summary.table(rows)
    if docs is not None:
        write_text(docs, between_marks(docs.read_text(encoding="utf-8"), table))
    failed = [row.application for row in rows if not row.holds()]
    note = f"\n\nnot above scratch, features and words by more than the spread: {', '.join(failed)}" if failed else ""
    return f"{table}{note}\n\nresults: {plan.output / 'summary.json'}, {plan.output / 'index.html'}"


def _gather(plan: Plan) -> None:
    """Links both corpora into one folder; their annotations are only read for what is held out."""
    for name, corpus in (("kitchen", kitchen(Config(), plan.cache)), ("applications", plan.videos)):
        links = {plan.footage / "videos" / name: corpus}
        links[plan.footage / "annotations" / f"{name}.json"] = corpus / "annotations.json"
        for link, target in links.items():
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink():
                link.symlink_to(target.absolute())


def between_marks(text: str, table: str) -> str:
    """The text with the table between its marks. Raises UserError for a text without them."""
    start, end = (text.find(mark) for mark in MARKS)
    if not 0 <= start < end:
        raise UserError(f"the document has no lines {MARKS[0]!r} and {MARKS[1]!r}, between which the table goes")
    return f"{text[: start + len(MARKS[0])]}\n{table}\n{text[end:]}"


def _sections(application: Application, runs: Mapping[str, Sequence[Run]], plan: Plan) -> list[page.Section]:
    """The rows of an application, with what the page shows of them."""
    folders = {variant: [run.folder for run in each] for variant, each in runs.items()}
    model = load(folders["pretrained"][0])
    prepared = Workdir(folders["pretrained"][0]).prepared()
    sections = []
    for one in application.measures:
        linear = _features_only(folders["pretrained"][0], f"features_only_{one.name}", one, model)
        chance = (
            features_only.chance(model, prepared, one.metric)
            if isinstance(model.config.task, LabelledConfig) and not one.chance
            else None
        )
        row = summary.row(one, folders, linear, chance)
        found = summary.details(folders["pretrained"][0], one.evaluator)
        sections.append(page.section(row, found, prepared))
    return sections


def _features_only(folder: pathlib.Path, name: str, measure: Measure, model: Model) -> float | None:
    """The baseline on features alone, computed once for a run and then read from its folder."""
    path = folder / f"{name}.json"
    if not path.exists():
        value = features_only.score(model, Workdir(folder).prepared(), measure)
        write_json(path, {"value": value})
    value = json.loads(path.read_text())["value"]
    return None if value is None else float(value)
