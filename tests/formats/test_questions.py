"""MSRVTT-QA and ActivityNet-QA."""

import json
import pathlib
from collections.abc import Callable

import pytest

from videobert_jax.errors import FormatError
from videobert_jax.formats.questions import Question, read_activitynet_qa, read_msrvtt_qa, read_questions


def write(tmp_path: pathlib.Path, content: object, name: str) -> pathlib.Path:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def asked(video_id: object = 7, question: object = "what is cut?", answer: object = "onion") -> dict[str, object]:
    return {"answer": answer, "category_id": 14, "id": 3, "question": question, "video_id": video_id}


def test_msrvtt_qa(tmp_path: pathlib.Path) -> None:
    unanswered = {"question": "who cuts? ", "video_id": 8}
    path = write(tmp_path, [asked(), unanswered], "test_qa.json")
    questions = [Question("video7", "what is cut?", "onion"), Question("video8", "who cuts?", None)]
    assert read_msrvtt_qa(path) == (questions, [])


@pytest.mark.parametrize(
    "bad",
    [7, {}, asked("7"), asked(True), asked(-1), asked(7, 3), asked(7, " "), asked(7, "x", None), asked(7, "\ud83d")],
)
def test_a_bad_question_of_msrvtt_costs_no_other(tmp_path: pathlib.Path, bad: object) -> None:
    questions, (problem,) = read_msrvtt_qa(write(tmp_path, [bad, asked()], "test_qa.json"))
    assert questions == [Question("video7", "what is cut?", "onion")]
    assert problem.item.endswith("test_qa.json, entry 0")


QUESTIONS = [{"video_name": "a_b", "question": f"what {n}?", "question_id": f"a_b_{n}"} for n in range(2)]


def test_activitynet_qa_joins_questions_and_answers(tmp_path: pathlib.Path) -> None:
    answers = [{"answer": "soup", "type": 3, "question_id": name} for name in ("a_b_1", "a_b_9")]
    answers.append({"answer": "", "type": 3, "question_id": "a_b_0"})
    path = write(tmp_path, [*QUESTIONS, {"video_name": "a_b"}], "val_q.json")
    questions, problems = read_activitynet_qa(path, write(tmp_path, answers, "val_a.json"))
    assert questions == [Question("a_b", "what 0?", None), Question("a_b", "what 1?", "soup")]
    places = [pathlib.Path(problem.item).name for problem in problems]
    assert places == ["val_a.json, entry 2", "val_q.json, entry 2", "val_a.json, a_b_9"]


def test_activitynet_qa_without_published_answers(tmp_path: pathlib.Path) -> None:
    questions, problems = read_activitynet_qa(write(tmp_path, QUESTIONS, "test_q.json"), None)
    assert [question.answer for question in questions] == [None, None]
    assert problems == []


@pytest.mark.parametrize("read", [read_msrvtt_qa, lambda path: read_activitynet_qa(path, None)])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ("{}", "holds dict, expected a list"),
        ("\udcff", "is not valid JSON"),
    ],
)
def test_no_list_of_questions_is_an_error(
    tmp_path: pathlib.Path, read: Callable[[pathlib.Path], object], content: str, reason: str
) -> None:
    path = tmp_path / "train_qa.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(FormatError, match=rf"train_qa\.json {reason}"):
        read(path)


def test_a_folder_may_hold_files_of_both_kinds_and_others(tmp_path: pathlib.Path) -> None:
    asked = [{"question_id": "1", "video_name": "a", "question": "what is cut"}]
    (tmp_path / "train_q.json").write_text(json.dumps(asked))
    (tmp_path / "train_a.json").write_text(json.dumps([{"question_id": "1", "answer": "bread", "type": 1}]))
    (tmp_path / "test_q.json").write_text(json.dumps([{**asked[0], "question_id": "2"}]))
    (tmp_path / "train_qa.json").write_text(
        json.dumps([{"answer": "two", "id": 0, "question": "how many", "video_id": 7}])
    )
    (tmp_path / "annotations.json").write_text(json.dumps({"database": {}}))
    assert read_questions(tmp_path) == (
        [
            Question("a", "what is cut", None),
            Question("a", "what is cut", "bread"),
            Question("video7", "how many", "two"),
        ],
        [],
    )
    assert read_questions(tmp_path / "train_qa.json")[0] == [Question("video7", "how many", "two")]


def test_a_folder_without_questions_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "annotations.json").write_text(json.dumps({"database": {}}))
    with pytest.raises(FormatError, match="holds no questions, expected files of MSRVTT-QA"):
        read_questions(tmp_path)
