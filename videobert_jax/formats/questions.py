"""Questions about videos, in the formats of MSRVTT-QA and ActivityNet-QA.

A question without text or video, or an ActivityNet answer without a question, is left out with a `Problem`.

* MSRVTT-QA: ``[{"answer", "id", "question", "video_id": int}]``; video 7 has the id ``video7``.
* ActivityNet-QA: ``*_q.json`` ``[{"video_name", "question", "question_id"}]`` and ``*_a.json``
  ``[{"answer", "type", "question_id"}]``.
"""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

from videobert_jax.errors import FormatError
from videobert_jax.formats.files import read_json
from videobert_jax.formats.problems import Problem


@dataclasses.dataclass(frozen=True)
class Question:
    """A question about a video; its answer is None if it is not published."""

    video_id: str
    question: str
    answer: str | None


Read = tuple[list[Question], list[Problem]]
ASKED, ANSWERED = "_q.json", "_a.json"  # how the names of ActivityNet-QA's files end


def read_questions(path: pathlib.Path) -> Read:
    """Reads a file of questions, or all .json files of a folder: pairs of ActivityNet-QA's files, and MSRVTT-QA's.

    Raises FormatError if a file is broken, or if there is no question.
    """
    files = sorted(file for file in path.glob("*.json") if file.is_file()) if path.is_dir() else [path]
    found: list[Question] = []
    problems: list[Problem] = []
    for file in files:
        if file.name.endswith(ANSWERED) and file.with_name(_asked(file)) in files:
            continue
        if file.name.endswith(ASKED):
            answers = file.with_name(file.name.removesuffix(ASKED) + ANSWERED)
            questions, flaws = read_activitynet_qa(file, answers if answers.exists() else None)
        elif path.is_dir() and not _is_list(file):
            continue  # other files of a data set: captions, splits
        else:
            questions, flaws = read_msrvtt_qa(file)
        found += questions
        problems += flaws
    if not found:
        raise FormatError(
            f"{path} holds no questions, expected files of MSRVTT-QA, or of ActivityNet-QA (*{ASKED}, *{ANSWERED})"
        )
    return found, problems


def _asked(answers: pathlib.Path) -> str:
    return answers.name.removesuffix(ANSWERED) + ASKED


def _is_list(path: pathlib.Path) -> bool:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return file.read(100).lstrip().startswith("[")


def read_msrvtt_qa(path: pathlib.Path) -> Read:
    """Reads the questions of a file. Raises FormatError if it is not a JSON list."""

    def question(entry: dict[str, Any]) -> Question:
        number = entry["video_id"]
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise ValueError(f"video_id is {number!r}, expected a number")
        answer = _text(entry, "answer") if "answer" in entry else None
        return Question(f"video{number}", _text(entry, "question"), answer)

    return _each(path, question)


def read_activitynet_qa(questions: pathlib.Path, answers: pathlib.Path | None) -> Read:
    """Reads questions from one file and answers from another. Raises FormatError if one is not a JSON list."""
    known: dict[str, str] = {}
    problems: list[Problem] = []
    if answers is not None:
        pairs, problems = _each(answers, lambda entry: (_text(entry, "question_id"), _text(entry, "answer")))
        known = dict(pairs)
    asked: set[str] = set()

    def question(entry: dict[str, Any]) -> Question:
        number = _text(entry, "question_id")
        found = Question(_text(entry, "video_name"), _text(entry, "question"), known.get(number))
        asked.add(number)
        return found

    found, flaws = _each(questions, question)
    orphans = [Problem(f"{answers}, {number}", "questions", "answers no question") for number in known.keys() - asked]
    return found, [*problems, *flaws, *sorted(orphans)]


def _each(path: pathlib.Path, read: Callable[[dict[str, Any]], Any]) -> tuple[list[Any], list[Problem]]:
    entries = read_json(path)
    if not isinstance(entries, list):
        raise FormatError(f"{path} holds {type(entries).__name__}, expected a list of questions or answers")
    found, problems = [], []
    for index, entry in enumerate(entries):
        try:
            found.append(read(entry))
        except (KeyError, TypeError, ValueError) as error:
            problems.append(Problem(f"{path}, entry {index}", "questions", f"unusable: {error!r}"))
    return found, problems


def _text(entry: dict[str, Any], name: str) -> str:
    value = entry[name]
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} is {value!r}, expected words")
    value.encode()  # raises for half of a surrogate pair, which JSON allows but UTF-8 does not
    return value.strip()
