"""The report of a run: one page of HTML with everything in it, pictures and curves included."""

import base64
import dataclasses
import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from videobert_jax.evaluation.curves import Curve, Line, chart
from videobert_jax.evaluation.storyboard import Guess, Picturing, Reading
from videobert_jax.evaluation.style import STYLE
from videobert_jax.evaluation.zero_shot import BLANKS, TOPS

COLUMNS = {  # of the table: key in the result, heading
    "cross_modal": "with video",
    "seen_pairs": "seen pairs",
    "unseen_pairs": "unseen pairs",
    "macro": "mean of labels",
    "language_prior": "without video",
    "chance": "chance",
}
MODALITIES = {"text": "Words", "video": "Visual words", "alignment": "Alignment"}
NOT_MEASURED = "\N{EN DASH}"
GUESSES = 3  # shown for each blank


@dataclasses.dataclass(frozen=True)
class Contents:
    """What the page shows.

    Attributes:
      result: of the evaluation, as in ``zero_shot.json``.
      facts: name and value of what the run was, shown in small under the title.
      curves: of every metric, from `curves.curves`.
      readings: held-out clips with what the model fills in.
      picturings: sentences with what the model pictures.
    """

    result: Mapping[str, Any]
    facts: Mapping[str, str]
    curves: Mapping[str, Curve]
    readings: Sequence[Reading]
    picturings: Sequence[Picturing]


def page(contents: Contents) -> str:
    """The whole document; it refers to nothing outside of itself."""
    sections = [
        _headline(contents.result),
        _section("Zero-shot cloze", _about_cloze(contents.result), _table(contents.result)),
        _section("Learning", LEARNING, _charts(contents.curves)),
        _section("From video to words", READING, "".join(map(_reading, contents.readings))),
        _section("From words to video", PICTURING, _picturings(contents.picturings)),
    ]
    facts = "".join(
        f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>" for name, value in contents.facts.items()
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>VideoBERT: report of a run</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>\n'
        f"<body><main>\n<header><p class='kicker'>VideoBERT</p><h1>What this run has learnt</h1>"
        f"<dl class='facts'>{facts}</dl></header>\n{chr(10).join(sections)}\n</main></body></html>\n"
    )


LEARNING = (
    "Masked prediction of words and of visual words, and whether a text and a video belong together. "
    "<span class='key bold'>held-out batches</span> <span class='key thin'>training batches</span>"
)
READING = (
    "Held-out segments, evenly spaced over all of them and not chosen. The model reads the template beside the video; "
    "these are its first guesses for the two blanks. It does not see the narration."
)
PICTURING = (
    "A sentence alone, and the visual words that the model expects beside it at five successive clips: the likeliest "
    "on top, two alternatives below. Each is shown as the training frame nearest to its centroid."
)


def _section(title: str, about: str, body: str) -> str:
    if not body:
        return ""
    return f"<section><h2>{title}</h2>\n<p class='about'>{about}</p>\n{body}</section>"


def _headline(result: Mapping[str, Any]) -> str:
    """The large figures: those that have been measured."""
    figures = []
    for blank in BLANKS:
        scores = result[f"{blank}_top1"]
        notes = [
            f"{_share(scores[key])} {COLUMNS[key]}" for key in ("language_prior", "chance") if scores[key] is not None
        ]
        for key, title in (("cross_modal", f"{blank}s named"), ("unseen_pairs", f"{blank}s named, unseen pairs")):
            if scores[key] is not None:
                figures.append((_share(scores[key]), title, ", ".join(notes)))
    if not figures:
        figures = [
            (_share(value), f"{name} right", "on held-out batches")
            for key, name in (("text", "masked words"), ("video", "masked visual words"), ("alignment", "alignments"))
            if (value := result["held_out"].get(f"accuracy/{key}")) is not None
        ]
    items = (
        f"<div><strong>{value}</strong><span>{title}</span><small>{note}</small></div>"
        for value, title, note in figures
    )
    return f"<div class='figures'>{''.join(items)}</div>"


def _about_cloze(result: Mapping[str, Any]) -> str:
    if "reason" in result:
        return f"Not measured: {_text(result['reason'])}."
    return (
        f"“{_text(result['template'])}” beside the visual words of {result['segments']:,} held-out segments, answered "
        f"from the whole vocabulary of words. In {result['unseen_segments']:,} of them the verb and the object never "
        "occur together in training."
    )


def _table(result: Mapping[str, Any]) -> str:
    """Every score, with what it has to be compared to, if it was measured; and the accuracies on held-out batches."""
    held_out = "".join(
        f"<tr><th>{title}</th><td>{_share(result['held_out'].get(f'accuracy/{name}'), 1)}</td></tr>"
        for name, title in (("text", "Masked words"), ("video", "Masked visual words"), ("alignment", "Alignment"))
    )
    cloze = "" if "reason" in result else _cloze_table(result)
    return (
        f"<div class='tables'>{cloze}"
        f"<table><thead><tr><th></th><th>held out</th></tr></thead><tbody>{held_out}</tbody></table></div>"
    )


def _cloze_table(result: Mapping[str, Any]) -> str:
    heads = "".join(f"<th>{heading}</th>" for heading in COLUMNS.values())
    rows = "".join(
        f"<tr><th>{blank.capitalize()}, {'first guess' if top == 1 else f'first {top}'}</th>"
        + "".join(f"<td class='{key}'>{_share(result[f'{blank}_top{top}'][key], 1)}</td>" for key in COLUMNS)
        + "</tr>"
        for blank in BLANKS
        for top in TOPS
    )
    return f"<table><thead><tr><th></th>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _charts(curves: Mapping[str, Curve]) -> str:
    """Loss above accuracy, a column for each task."""
    cells = []
    for measure in ("loss", "accuracy"):
        for name, title in MODALITIES.items():
            key = f"{measure}/{name}"
            lines = [Line(curves.get(key, ()), "train"), Line(curves.get(f"held_out/{key}", ()), "held")]
            drawn = chart(
                lines, f"{title}: {measure}", percent=measure == "accuracy", top=1.0 if measure == "accuracy" else None
            )
            cells.append(f"<figure><figcaption>{title} <i>{measure}</i></figcaption>{drawn}</figure>")
    return f"<div class='charts'>{''.join(cells)}</div>"


def _reading(reading: Reading) -> str:
    frames = "".join(f"<img alt='' src='{_data(frame)}'>" for frame in reading.frames)
    truth = (
        f"<p class='truth'>{_text(reading.caption)}{' <em>unseen pair</em>' if reading.unseen else ''}</p>"
        if reading.caption
        else ""
    )
    narration = f"<p class='narration'>{_text(reading.narration)}</p>" if reading.narration else ""
    blanks = "".join(
        f"<ol><li class='blank'>{name}</li>{''.join(map(_guess, blank[:GUESSES]))}</ol>"
        for name, blank in zip(BLANKS, reading.blanks, strict=True)
    )
    return (
        f"<article class='reading'><div><div class='frames'>{frames}</div>{truth}{narration}</div>"
        f"<div class='blanks'>{blanks}</div></article>"
    )


def _guess(guess: Guess) -> str:
    state = {True: "right", False: "wrong", None: "open"}[guess.right]
    return (
        f"<li class='{state}'><span>{_text(guess.word)}</span><b style='width:{guess.probability * 44:.1f}px'></b>"
        f"<small>{_share(guess.probability)}</small></li>"
    )


def _picturings(picturings: Sequence[Picturing]) -> str:
    return f"<div class='picturings'>{''.join(map(_picturing, picturings))}</div>" if picturings else ""


def _picturing(picturing: Picturing) -> str:
    columns = "".join(
        "<li>"
        + "".join(
            f"<img alt='' title='{_share(p)}' src='{_data(jpeg)}'>" for jpeg, p in zip(pictures, shares, strict=True)
        )
        + "</li>"
        for pictures, shares in zip(picturing.pictures, picturing.probabilities, strict=True)
    )
    return f"<article class='picturing'><p>“{_text(picturing.sentence)}”</p><ol>{columns}</ol></article>"


def _data(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _share(value: float | None, decimals: int = 0) -> str:
    return NOT_MEASURED if value is None else f"{value:.{decimals}%}"


def _text(text: str) -> str:
    return html.escape(text)


def table(result: Mapping[str, Any]) -> str:
    """The same numbers for a terminal."""
    width = max(map(len, COLUMNS.values()))
    lines = [" " * 13 + "".join(f"{heading:>{width + 2}}" for heading in COLUMNS.values())]
    for blank in BLANKS:
        for top in TOPS:
            scores = result[f"{blank}_top{top}"]
            cells = (NOT_MEASURED if scores[key] is None else f"{scores[key]:.3f}" for key in COLUMNS)
            lines.append(f"{blank + ' top-' + str(top):<13}" + "".join(f"{cell:>{width + 2}}" for cell in cells))
    if "reason" in result:
        lines.append(f"zero-shot cloze not measured: {result['reason']}")
    lines += [f"held out, {name}: {value:.3f}" for name, value in _accuracies(result["held_out"].items())]
    return "\n".join(lines)


def _accuracies(values: Iterable[tuple[str, float]]) -> Iterable[tuple[str, float]]:
    return ((name, value) for name, value in values if name.startswith("accuracy/"))
