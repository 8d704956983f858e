"""Whether a model's words look at the video: the log-likelihood of masked words beside their own and other clips.

The same words are masked in the same places of the same sequences; only the clips that are seen differ. Near zero means
that the text alone solves the task, so that nothing of the video reaches the words.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from videobert_jax.config import Config, UseOfVideoConfig
from videobert_jax.data.batching import RowMaker, validation_batches
from videobert_jax.data.prepared import VALIDATION, Prepared
from videobert_jax.data.rows.pretraining import PretrainingRows
from videobert_jax.errors import ConfigError
from videobert_jax.evaluation import held_out
from videobert_jax.evaluation.result import Result
from videobert_jax.inference.model import Model
from videobert_jax.tasks.task import Task
from videobert_jax.training.evaluators import Build, Measure
from videobert_jax.training.program import Program
from videobert_jax.training.step import make_eval_step

LOSS = "loss/text_in_joint"
LITTLE = 0.05  # nats a word: less is as good as none


def evaluate(model: Model, prepared: Prepared, section: UseOfVideoConfig, split: str = VALIDATION) -> Result:
    """The difference in nats a word, and the log-likelihoods, on this process's devices."""
    task, config = model.task, model.config.data
    step = jax.jit(make_eval_step(task.network, task.objective))
    examples = task.examples(prepared, split)

    def loss(row: RowMaker[Any]) -> Mapping[str, float]:
        batches = validation_batches(examples, row, task.group, config, section.batches)
        return held_out.measure(lambda batch: step(model.params, batch), batches)

    own, other = map(loss, _rows(task))
    result = _difference(own, other)
    return Result(result, result)


def build(config: Config, task: Task, prepared: Prepared, section: UseOfVideoConfig) -> Build:
    """The same for the loop, on batches that are split over the mesh."""

    def for_program(program: Program) -> Measure:
        step = program.compile_eval_step()
        own, other = (held_out.on_mesh(program, config, task, prepared, row, section.batches) for row in _rows(task))

        def measured(params: Any) -> Mapping[str, float]:
            means = [held_out.measure(lambda batch: step(params, batch), batches) for batches in (own, other)]
            return _difference(*means)

        return measured

    return for_program


def _rows(task: Task) -> tuple[PretrainingRows, PretrainingRows]:
    """Rows with their own clips, and the same with those of other videos. Raises ConfigError for a task without."""
    if not isinstance(task.row, PretrainingRows):
        raise ConfigError("config.evaluators has use_of_video, which needs the rows of pretraining: remove it")
    matching = dataclasses.replace(task.row.config, misaligned=0.0)
    own = dataclasses.replace(task.row, config=matching, contrast="own")
    return own, dataclasses.replace(own, contrast="other")


def _difference(own: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    """Empty if no word of a joint sequence is masked."""
    if LOSS not in own:
        return {}
    return {"nats": other[LOSS] - own[LOSS], "own_clips": -own[LOSS], "other_clips": -other[LOSS]}


def told(history: Sequence[Mapping[str, Any]]) -> str:
    """What the newest measure in the lines of a run's ``metrics.jsonl`` says, as a sentence; "" if there is none."""
    measured = [line["use_of_video/nats"] for line in history if "use_of_video/nats" in line]
    if not measured:
        return ""
    fact = f"Masked words are {measured[-1]:.2f} nats likelier beside their own clips than beside another video's"
    if measured[-1] >= LITTLE:
        return f"{fact}."
    return (
        f"{fact}, which is as good as nothing: the text alone solves the task, and the words learn nothing from the "
        "video. Mask all words of some sequences (task.mask_text), or read more of each clip (model.visual_input)."
    )
