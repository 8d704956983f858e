"""The page and the table of a run."""

import dataclasses
import html.parser
from importlib.resources import files

import jinja2
import pytest
from cloze_corpus import TEMPLATE

from videobert_jax.evaluation.report.page import Contents, render
from videobert_jax.evaluation.report.readings import Guess, Reading
from videobert_jax.evaluation.report.terminal import NOT_MEASURED, table
from videobert_jax.evaluation.zero_shot import SCORES, unanswerable
from videobert_jax.inference.storyboard import Picturing

VOID = {"meta", "img", "path", "polyline", "circle"}


REFERENCES = {"action", "background", "cite", "data", "href", "poster", "src", "srcset", "xlink:href"}  # attributes


class Checker(html.parser.HTMLParser):
    """Collects elements, text and references, and sees that every element that opens also closes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.references: list[str] = []
        self.cells: dict[str, list[str]] = {}  # the table's: class to texts
        self.text = ""

    def handle_starttag(self, tag, attributes) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.references += [value for name, value in attributes if name in REFERENCES]
        if tag == "td":
            self.cells.setdefault(dict(attributes).get("class", ""), []).append("")
            self.cell = self.cells[dict(attributes).get("class", "")]

    def handle_endtag(self, tag) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.text += data if "style" not in self.open else ""
        if "td" in self.open:
            self.cell[-1] += data


def parse(document: str) -> Checker:
    checker = Checker()
    checker.feed(document)
    checker.close()
    assert not checker.open
    return checker


def contents(result, held_out=None) -> Contents:
    guesses = (Guess("cut", 0.5, True), Guess("<b>", 0.25, False))
    return Contents(
        result=result,
        held_out={"accuracy/text": 0.77, "loss/text": 1.0} if held_out is None else held_out,
        facts={"model": "2 layers & more"},
        curves={"loss/text": [(1, 2.0), (9, 1.0)], "held_out/loss/text": [(9, 1.5)]},
        readings=[Reading("v", "cut the carrot", "now <cut>", True, (b"one", b"two"), (guesses, guesses))],
        picturings=[Picturing("cut the carrot", ((b"three", b"four"),), ((0.5, 0.25),))],
    )


def measured() -> dict:
    keys = ("cross_modal", "language_prior", "chance", "unseen_pairs", "seen_pairs", "macro")
    scores = {
        name: {key: (10 * row + column) / 100 for column, key in enumerate(keys)} for row, name in enumerate(SCORES, 1)
    }
    return {**scores, "template": TEMPLATE, "segments": 12, "unseen_segments": 3}


def test_the_page_holds_everything_within_itself() -> None:
    document = render(contents(measured()))
    assert [document.count(f"<strong>{share}%</strong>") for share in (10, 13, 30, 33)] == [1, 1, 1, 1]
    checker = parse(document)
    assert len(checker.references) == 4
    assert all(reference.startswith("data:image/jpeg;base64,") for reference in checker.references)
    for text in (
        "10.0%",
        "13.0%",
        "43.0%",
        "77.0%",
        TEMPLATE,
        "2 layers & more",
        "now <cut>",
        "<b>",
        "unseen pair",
        "first guess",
    ):
        assert text in checker.text
    assert checker.text.count("not measured") == 5  # of six charts only the words' loss has been


def test_the_page_refers_to_nothing_outside_of_itself() -> None:
    document = render(contents(measured()))
    assert not {"base", "embed", "iframe", "link", "object", "script", "use"} & parse(document).tags
    for reference in ("http", "://", "@import", "url("):
        assert reference not in document
    assert (files("videobert_jax.evaluation.report") / "page.css").read_text() in document


HOSTILE = "</p><script>alert('{}' & \"\")</script>"


def test_every_text_is_escaped() -> None:
    places = ["name", "value", "template", "caption", "narration", "verb", "object", "sentence", "reason"]
    texts = {place: HOSTILE.format(place) for place in places}
    whole = Contents(
        result={**measured(), "template": texts["template"]},
        held_out={},
        facts={texts["name"]: texts["value"]},
        curves={},
        readings=[
            Reading(
                "v",
                texts["caption"],
                texts["narration"],
                True,
                (b"one",),
                ((Guess(texts["verb"], 0.5, True),), (Guess(texts["object"], 0.5, None),)),
            )
        ],
        picturings=[Picturing(texts["sentence"], ((b"two",),), ((0.5,),))],
    )
    without_captions = dataclasses.replace(whole, result=unanswerable(TEMPLATE, texts.pop("reason")))
    assert HOSTILE.format("reason") in parse(render(without_captions)).text
    checker = parse(render(whole))
    assert "script" not in checker.tags
    assert [place for place, text in texts.items() if checker.text.count(text) != 1] == []


def test_what_is_not_measured_shows_a_dash() -> None:
    result = measured()
    result["object_top5"]["macro"] = None
    checker = parse(render(contents(result)))
    assert checker.cells["macro"] == ["15.0%", "25.0%", "35.0%", NOT_MEASURED]
    assert checker.cells[""] == ["77.0%", NOT_MEASURED, NOT_MEASURED]  # held out: words, visual words, alignment
    assert table(result, {}).splitlines()[4].split().count(NOT_MEASURED) == 1


def test_a_result_that_lacks_a_value_is_an_error() -> None:
    result = measured()
    del result["template"]
    with pytest.raises(jinja2.UndefinedError, match="template"):
        render(contents(result))


def test_the_page_counts_captions_that_cannot_be_read() -> None:
    assert "cannot be read" not in parse(render(contents(measured()))).text
    checker = parse(render(contents({**measured(), "unreadable_captions": 1988})))
    assert "1,988 of 2,000 captions cannot be read and are left out." in " ".join(checker.text.split())


def test_a_page_without_captions_says_so() -> None:
    checker = parse(render(contents(unanswerable(TEMPLATE, "no captions"), {"accuracy/video": 0.31})))
    assert "Not measured: no captions" in checker.text
    assert "31%" in checker.text
    assert "None" not in checker.text
    assert "Verb, first guess" not in checker.text  # no table of nothing


def test_the_table_has_a_line_for_every_score() -> None:
    lines = table(measured(), {"accuracy/text": 0.77, "loss/text": 1.0}).splitlines()
    assert lines[1].split() == ["verb", "top-1", "0.100", "0.140", "0.130", "0.150", "0.110", "0.120"]
    assert lines[4].split()[:2] == ["object", "top-5"]
    assert lines[5:] == ["held out, accuracy/text: 0.770"]
    assert "no captions" in table(unanswerable(TEMPLATE, "no captions"), {})


@pytest.mark.parametrize("held_out", [{}, {"accuracy/alignment": 0.5}])
def test_a_page_with_nothing_to_show_is_still_a_page(held_out) -> None:
    result = unanswerable(TEMPLATE, "no captions")
    parse(render(Contents(result, held_out, {}, {}, [], [])))


def test_a_page_of_another_task_shows_its_scores_and_curves_and_no_cloze() -> None:
    curves = {"loss/seconds": [(1, 2.0), (9, 1.0)], "held_out/loss/seconds": [(9, 1.5)], "loss": [(1, 2.0)]}
    scores = {"duration": {"error": 3.8153, HOSTILE.format("metric"): 8.0}}
    checker = parse(render(Contents({}, {}, {"model": "small"}, curves, [], [], scores)))
    assert "Zero-shot" not in checker.text and "masked" not in checker.text
    assert checker.cells[""] == ["3.815", "8.000"]
    assert HOSTILE.format("metric") in checker.text
    assert "seconds loss" in checker.text and "not measured" not in checker.text
