"""The scores of a run as a table for the terminal."""

from collections.abc import Mapping
from typing import Any

from videobert_jax.evaluation.zero_shot import BLANKS, TOPS

COLUMNS = {  # key in the result: heading
    "cross_modal": "with video",
    "seen_pairs": "seen pairs",
    "unseen_pairs": "unseen pairs",
    "macro": "mean over labels",
    "language_prior": "without video",
    "chance": "chance",
}
NOT_MEASURED = "\N{EN DASH}"


def table(result: Mapping[str, Any], held_out: Mapping[str, float]) -> str:
    """A line for each zero-shot score, then one for each accuracy on held-out batches.

    Args:
      result: of the zero-shot cloze, as in ``zero_shot.json``.
      held_out: means over held-out batches, by names like ``accuracy/text``.
    """
    width = max(map(len, COLUMNS.values())) + 2
    lines = [" " * 13 + "".join(f"{heading:>{width}}" for heading in COLUMNS.values())]
    for blank in BLANKS:
        for top in TOPS:
            scores = result[f"{blank}_top{top}"]
            cells = (NOT_MEASURED if scores[key] is None else f"{scores[key]:.3f}" for key in COLUMNS)
            lines.append(f"{f'{blank} top-{top}':<13}" + "".join(f"{cell:>{width}}" for cell in cells))
    if "reason" in result:
        lines.append(f"zero-shot cloze not measured: {result['reason']}")
    lines += [f"held out, {name}: {value:.3f}" for name, value in held_out.items() if name.startswith("accuracy/")]
    return "\n".join(lines)
