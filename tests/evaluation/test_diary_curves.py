"""Charts of the diary."""

import xml.etree.ElementTree as ElementTree

import pytest

from videobert_jax.evaluation.report.curves import Line, _ticks, chart, curves
from videobert_jax.evaluation.report.page import environment

SVG = "{http://www.w3.org/2000/svg}"


def draw(*lines: Line, **axis) -> str:
    return str(environment().get_template("chart.html").module.draw(chart(lines, **axis), "words & <loss>"))


def drawn(*lines: Line, **axis) -> ElementTree.Element:
    svg = draw(*lines, **axis).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return ElementTree.fromstring(svg)


def points(element: ElementTree.Element) -> list[tuple[float, float]]:
    return [tuple(map(float, point.split(","))) for point in element.attrib["points"].split()]


def test_curves_collect_the_numbers_of_each_metric() -> None:
    lines = [
        {"step": 10, "loss": 3.0, "timing": {"seconds": 1.0}},
        {"step": 20, "loss": 2.0, "accuracy/text": 0.5},
        {"step": 20, "held_out/loss": 2.5},
    ]
    assert curves(lines) == {"loss": [(10, 3.0), (20, 2.0)], "accuracy/text": [(20, 0.5)], "held_out/loss": [(20, 2.5)]}


def test_chart_puts_points_where_the_axes_say() -> None:
    root = drawn(Line([(0, 4.0), (100, 0.0)], "train"), Line([(50, 2.0)], "held"))
    (left, top), (right, bottom) = points(root.findall(f"{SVG}polyline")[0])
    circle = root.find(f"{SVG}circle").attrib
    assert 0 < left < right < 320
    assert 0 < top < bottom < 168
    assert (float(circle["cx"]), float(circle["cy"])) == ((left + right) / 2, (top + bottom) / 2)
    rules = [float(rule.attrib["d"].split("H")[0].split(" ")[1]) for rule in root.findall(f"{SVG}path")]
    assert {top, bottom} <= set(rules)
    assert {"0", "4", "100"} <= {text.text for text in root.findall(f"{SVG}text")}


def test_long_curves_are_averaged_and_end_at_the_last_step() -> None:
    curve = [(step, float(step % 2)) for step in range(1, 4001)]
    root = drawn(Line(curve, "train"), top=1.0)
    found = points(root.find(f"{SVG}polyline"))
    assert len(found) == 160
    assert len({y for _, y in found}) <= 3  # every run averages to a half
    assert "4,000" in {text.text for text in root.findall(f"{SVG}text")}


def test_shares_are_percentages_and_nothing_to_show_is_said() -> None:
    assert ">50%<" in draw(Line([(1, 0.4)], "held"), top=1.0, percent=True)
    assert "not measured" in draw(Line([], "train"))
    assert "svg" in draw(Line([(5, 0.0)], "train"))


def test_a_chart_says_what_it_shows_to_those_who_do_not_see_it() -> None:
    assert drawn(Line([(1, 0.4)], "held")).attrib["aria-label"] == "words & <loss>"


@pytest.mark.parametrize("greatest", [1e-4, 0.3, 0.999, 1.0, 1.01, 7.3, 9.99, 10, 2500])
def test_ticks_are_few_and_reach_near_the_top(greatest: float) -> None:
    ticks = _ticks(greatest)
    assert 2 <= len(ticks) <= 5
    assert ticks[0] == 0
    assert greatest / 2 < ticks[-1] <= greatest * 1.0001
