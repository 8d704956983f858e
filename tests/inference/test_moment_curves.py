"""From curves to moments and events, by hand."""

import dataclasses

import numpy as np
import pytest

from videobert_jax.inference import curves
from videobert_jax.inference.curves import Event, EventRule, Moment, MomentRule
from videobert_jax.metrics.moments import temporal_iou


def plateau(samples: int, *spans: tuple[int, int, float]) -> np.ndarray:
    curve = np.full(samples, 0.1)
    for first, stop, height in spans:
        curve[first:stop] = height
    return curve


@pytest.mark.parametrize("span", [(4, 5), (10, 16), (0, 6), (54, 60), (20, 45)])
@pytest.mark.parametrize("contrast", [0.0, 0.5, 1.0])
def test_a_plateau_is_the_first_moment_whatever_its_length(span: tuple[int, int], contrast: float) -> None:
    rule = MomentRule(contrast=contrast, growth=0.5)
    best, *_ = curves.moments(plateau(60, (*span, 0.7)), 2.0, 120.0, rule, 3)
    truth = np.array([span]) * 2.0
    enough = 0.85 if span[1] - span[0] > 10 else 1.0  # not every long span is a candidate
    assert temporal_iou(np.array([best[:2]]), truth) >= enough


def test_a_plateau_in_noise_is_found() -> None:
    curve = plateau(100, (30, 38, 0.5)) + np.random.default_rng(0).normal(0, 0.1, 100)
    best, *_ = curves.moments(curve, 2.0, 200.0, MomentRule(growth=0.5), 1)
    assert temporal_iou(np.array([best[:2]]), np.array([[60.0, 76.0]])) >= 0.8


def test_two_plateaus_are_two_moments_the_higher_first() -> None:
    curve = plateau(60, (5, 11, 0.5), (30, 36, 0.8))
    first, second = curves.moments(curve, 2.0, 120.0, MomentRule(), 2, expected=12.0)
    assert first[:2] == (60.0, 72.0)
    assert second[:2] == (10.0, 22.0)
    assert first.score > second.score > 0


def test_a_span_may_have_to_be_as_long_as_is_expected() -> None:
    curve = plateau(60, (5, 6, 0.8), (30, 40, 0.5))
    for seconds, truth in ((2.0, (10.0, 12.0)), (20.0, (60.0, 80.0))):
        (best,) = curves.moments(curve, 2.0, 120.0, MomentRule(length=0.8), 1, expected=seconds)
        assert best[:2] == truth
    spans = np.array([[0, 5], [7, 17]])
    np.testing.assert_allclose(curves.misfit(spans, 2.0, 10.0), [0, np.log(2) ** 2], atol=1e-12)
    assert curves.misfit(spans, 2.0, None).tolist() == [0, 0]


def test_growth_decides_between_a_peak_and_a_plateau() -> None:
    curve = plateau(60, (5, 6, 0.8), (30, 40, 0.5))
    peak, plateaus = (
        curves.moments(curve, 1.0, 60.0, MomentRule(growth=growth, contrast=0.0), 1)[0] for growth in (0.0, 0.5)
    )
    assert peak[:2] == (5.0, 6.0)
    assert plateaus[:2] == (30.0, 40.0)


def test_a_span_is_compared_with_what_is_around_it_or_with_everything() -> None:
    curve = plateau(40, (0, 20, 0.6), (8, 12, 0.9), (30, 32, 0.7))
    spans = np.array([[8, 12], [30, 32]])
    everywhere, around = curve.mean(), np.array([0.6, 0.1])
    inside = np.array([0.9, 0.7])
    for contrast, other in ((0.0, everywhere), (1.0, around), (0.25, 0.25 * around + 0.75 * everywhere)):
        found = curves.scores(curve, spans, MomentRule(contrast=contrast, growth=0.0))
        np.testing.assert_allclose(found, inside - other, atol=1e-12)
    np.testing.assert_allclose(
        curves.scores(curve, spans, MomentRule(contrast=1.0, growth=1.0)), (inside - around) * np.array([4, 2])
    )


def test_many_curves_are_scored_as_one_by_one() -> None:
    rng = np.random.default_rng(1)
    several, spans = rng.normal(size=(2, 3, 20)), curves.candidates(20, 12)
    together = curves.scores(several, spans, MomentRule())
    assert together.shape == (2, 3, len(spans))
    np.testing.assert_array_equal(together[1, 2], curves.scores(several[1, 2], spans, MomentRule()))


def test_the_whole_video_stands_out_of_nothing() -> None:
    np.testing.assert_allclose(curves.scores(plateau(5, (1, 2, 0.9)), np.array([[0, 5]]), MomentRule()), [0], atol=1e-9)


def test_a_moving_average_has_fewer_samples_at_the_ends() -> None:
    curve = np.array([3.0, 0, 0, 6, 0])
    np.testing.assert_allclose(curves.smooth(curve, 3), [1.5, 1, 2, 2, 3])
    np.testing.assert_array_equal(curves.smooth(curve, 1), curve)
    np.testing.assert_allclose(curves.smooth(np.stack([curve, curve[::-1]]), 3)[1], [3, 2, 2, 1, 1.5])


@pytest.mark.parametrize(("samples", "longest"), [(1, 9), (7, 9), (40, 40), (300, 75), (30, 1)])
def test_candidates_are_near_every_span(samples: int, longest: int) -> None:
    spans = curves.candidates(samples, longest)
    lengths = np.unique(spans[:, 1] - spans[:, 0])
    assert spans.min() == 0
    assert spans.max() == samples
    assert len(np.unique(spans, axis=0)) == len(spans)
    assert lengths[0] == 1
    assert lengths[-1] <= samples
    for length in range(1, min(samples, longest) + 1):
        nearest = np.max(np.minimum(lengths, length) / np.maximum(lengths, length))
        assert nearest == 1 if length <= curves.EVERY_LENGTH else nearest > 0.9
    assert len(curves.candidates(0, 9)) == 0


def test_of_overlapping_spans_the_best_stay() -> None:
    spans = np.array([[0, 10], [1, 11], [5, 15], [20, 30], [20, 30]])
    score = np.array([0.5, 0.9, 0.7, 0.2, 0.2])
    assert curves.apart(spans, score, 0.5, 9).tolist() == [1, 2, 3]  # IoU of 6 / 14 is allowed, 9 / 11 is not
    assert curves.apart(spans, score, 0.3, 9).tolist() == [1, 3]
    assert curves.apart(spans, score, 1.0, 9).tolist() == [1, 2, 0, 3, 4]
    assert curves.apart(spans, score, 0.5, 2).tolist() == [1, 2]
    assert curves.apart(spans[:0], score[:0], 0.5, 2).tolist() == []


def test_no_moment_ends_after_the_video_or_is_too_long() -> None:
    curve = plateau(10, (4, 10, 0.9))
    (whole,) = curves.moments(curve, 2.0, 19.3, MomentRule(), 1)
    assert whole[:2] == (8.0, 19.3)
    assert all(one.end - one.start <= 6.0 for one in curves.moments(curve, 2.0, 19.3, MomentRule(longest=6.0), 50))
    assert curves.moments(plateau(1), 2.0, 1.1, MomentRule(), 5) == [Moment(0.0, 1.1, 0.0)]


PROBABILITIES = np.array([0.1, 0.4, 0.9, 0.4, 0.1, 0.4, 0.1, 0.1, 0.6, 0.1])


def test_an_event_begins_and_ends_below_the_threshold_that_it_reaches() -> None:
    rule = EventRule(threshold=0.6, release=0.5)
    assert curves.events(PROBABILITIES, 0.5, rule) == [Event(0.5, 2.0, 0.9), Event(4.0, 4.5, 0.6)]
    assert curves.events(PROBABILITIES, 0.5, rule, start=10.0)[0] == Event(10.5, 12.0, 0.9)
    sharp = dataclasses.replace(rule, release=1.0)
    assert curves.events(PROBABILITIES, 0.5, sharp) == [Event(1.0, 1.5, 0.9), Event(4.0, 4.5, 0.6)]


def test_events_that_are_near_are_one_and_short_ones_none() -> None:
    rule = EventRule(threshold=0.6, release=0.5, gap=2.0)
    assert curves.events(PROBABILITIES, 0.5, rule) == [Event(0.5, 4.5, 0.9)]
    assert curves.events(PROBABILITIES, 0.5, dataclasses.replace(rule, gap=1.9, shortest=1.0)) == [Event(0.5, 2.0, 0.9)]


def test_an_event_may_last_to_the_end() -> None:
    assert curves.events(np.array([0.7, 0.7]), 1.0, EventRule()) == [Event(0.0, 2.0, 0.7)]
    assert curves.events(np.zeros(3), 1.0, EventRule()) == []
    assert curves.events(np.zeros(0), 1.0, EventRule()) == []
