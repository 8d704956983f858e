"""Tags of segments: the predictions of classifiers, to filter an index by."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from videobert_jax.config import ClassificationConfig
from videobert_jax.data.rows.labelled import Labelled
from videobert_jax.data.segments import Segment
from videobert_jax.errors import UserError
from videobert_jax.inference import classify
from videobert_jax.inference.filters import Tags

if TYPE_CHECKING:
    from videobert_jax.inference.model import Model


def tagger(classifiers: Mapping[str, "Model"]) -> Callable[[Sequence[Segment]], list[Tags]]:
    """Returns a function that tags segments with the predictions of classifiers, by name.

    A classifier's name is a tag: the class with the highest probability, or where a segment may have several classes,
    the highest probability. ``name/class`` is the probability of each class.

    Raises UserError for a model that was not trained for classification.
    """
    for name, model in classifiers.items():
        if not isinstance(model.config.task, ClassificationConfig):
            raise UserError(
                f"{model.lexicon.folder}, which --tags names {name}, was trained for "
                f"config.task.name={model.config.task.name!r}, expected classification"
            )

    def tags(segments: Sequence[Segment]) -> list[Tags]:
        found: list[dict[str, float | str]] = [{} for _ in segments]
        for name, model in classifiers.items():
            for each, more in zip(found, _of(name, model, segments), strict=True):
                each |= more
        return list(found)

    return tags


def _of(name: str, model: "Model", segments: Sequence[Segment]) -> list[dict[str, float | str]]:
    section = model.config.task
    assert isinstance(section, ClassificationConfig)
    examples = [Labelled(one, one.spoken, ()) for one in segments]
    temperature = classify.calibration_of(model).temperature
    probabilities = classify.probabilities(classify.logits_of(model, examples), section.multiple, temperature)
    names = classify.classes(model)
    return [
        {
            name: float(row.max()) if section.multiple else names[int(row.argmax())],
            **{f"{name}/{one}": float(probability) for one, probability in zip(names, row, strict=True)},
        }
        for row in probabilities
    ]
