"""The page and the table of a run."""

import html.parser

import pytest
from cloze_corpus import TEMPLATE

from videobert_jax.evaluation.report import Contents, page, table
from videobert_jax.evaluation.storyboard import Guess, Picturing, Reading
from videobert_jax.evaluation.zero_shot import SCORES, unanswerable

VOID = {"meta", "img", "path", "polyline", "circle"}


class Checker(html.parser.HTMLParser):
    """Collects text and links, and sees that every element that opens also closes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attributes) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href")]

    def handle_endtag(self, tag) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.text += data if "style" not in self.open else ""


def parse(document: str) -> Checker:
    checker = Checker()
    checker.feed(document)
    checker.close()
    assert not checker.open
    return checker


def contents(result) -> Contents:
    guesses = (Guess("cut", 0.5, True), Guess("<b>", 0.25, False))
    return Contents(
        result=result,
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
    counts = {
        "template": TEMPLATE,
        "segments": 12,
        "unseen_segments": 3,
        "held_out": {"accuracy/text": 0.77, "loss/text": 1.0},
    }
    return {**scores, **counts}


def test_the_page_holds_everything_within_itself() -> None:
    document = page(contents(measured()))
    assert [document.count(f"<strong>{share}%</strong>") for share in (10, 13, 30, 33)] == [1, 1, 1, 1]
    checker = parse(document)
    assert len(checker.links) == 4
    assert all(link.startswith("data:image/jpeg;base64,") for link in checker.links)
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


def test_a_page_without_captions_says_so() -> None:
    result = {**unanswerable(TEMPLATE, "no captions"), "held_out": {"accuracy/video": 0.31}}
    checker = parse(page(contents(result)))
    assert "Not measured: no captions" in checker.text
    assert "31%" in checker.text
    assert "None" not in checker.text
    assert "Verb, first guess" not in checker.text  # no table of nothing


def test_the_table_has_a_line_for_every_score() -> None:
    lines = table(measured()).splitlines()
    assert lines[1].split() == ["verb", "top-1", "0.100", "0.140", "0.130", "0.150", "0.110", "0.120"]
    assert lines[4].split()[:2] == ["object", "top-5"]
    assert lines[5] == "held out, accuracy/text: 0.770"
    assert "no captions" in table({**unanswerable(TEMPLATE, "no captions"), "held_out": {}})


@pytest.mark.parametrize("held_out", [{}, {"accuracy/alignment": 0.5}])
def test_a_page_with_nothing_to_show_is_still_a_page(held_out) -> None:
    result = {**unanswerable(TEMPLATE, "no captions"), "held_out": held_out}
    parse(page(Contents(result, {}, {}, [], [])))
