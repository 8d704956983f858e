"""The zero-shot cloze, with models whose answers are known."""

import math

import numpy as np
import pytest
from cloze_corpus import ID, TEMPLATE, TOKENS, WORDS, encode, id_of, model_of, segment

from videobert_jax.config import ZeroShotConfig
from videobert_jax.data.batch import Batch
from videobert_jax.data.sequences import encode_joint
from videobert_jax.evaluation import zero_shot
from videobert_jax.evaluation.zero_shot import questions
from videobert_jax.inference import fill
from videobert_jax.inference.fill import Fillings

VERBS, OBJECTS = ("cut", "stir", "fry"), ("carrot", "onion", "egg")


def knowing(batch: Batch) -> np.ndarray:
    """Reads verb v and object o off the first visual word, 3 v + o; without video it says "stir the egg".

    Ids that must never be filled in are the likeliest of all.
    """
    rows, predictions = batch["prediction_positions"].shape
    logits = np.zeros((rows, predictions, TOKENS.padded_size), np.float32)
    logits[:, :, list(TOKENS.specials)] = 9
    logits[:, :, TOKENS.text_size :] = 9
    for row, ids in enumerate(batch["token_ids"]):
        shown = ids[ids >= TOKENS.text_size]
        verb, thing = divmod(int(shown[0]) - TOKENS.text_size, 3) if len(shown) else (1, 2)
        logits[row, 0, ID[VERBS[verb]]] = 3
        logits[row, 1, ID[OBJECTS[thing]]] = 2
    return logits


def ask(segments, template: str = TEMPLATE, predict=knowing, length: int = 32) -> Fillings:
    words = zero_shot.encode_template(template, encode, TOKENS)
    return fill.ask(model_of(predict), words, segments, TOKENS, length)


def result(segments, training=()) -> dict:
    words = zero_shot.encode_template(TEMPLATE, encode, TOKENS)
    prior = fill.language_prior(model_of(knowing), words, TOKENS)
    unseen = zero_shot.is_unseen(segments, training)
    return zero_shot.judge(ask(segments), prior, questions([s.caption for s in segments], id_of), unseen, TEMPLATE)


def test_the_model_sees_the_template_and_the_clips_and_predicts_the_blanks() -> None:
    seen = []

    def predict(batch: Batch) -> np.ndarray:
        seen.append(batch)
        return knowing(batch)

    ask([segment("cut the carrot", (4, 7, 1))], predict=predict)
    (batch,) = seen
    ids = [TOKENS.cls, *encode(TEMPLATE), TOKENS.joiner, *(TOKENS.text_size + i for i in (4, 7, 1)), TOKENS.sep]
    assert batch["token_ids"][0, : len(ids)].tolist() == ids
    assert batch["prediction_positions"][0].tolist() == [4, 6]
    assert batch["sequence_ids"][0].sum() == len(ids)


def test_the_prior_is_asked_for_without_video_and_without_the_joiner() -> None:
    seen = []

    def predict(batch: Batch) -> np.ndarray:
        seen.append(batch["token_ids"][0])
        return knowing(batch)

    fill.language_prior(model_of(predict), np.array(encode(TEMPLATE)), TOKENS)
    assert seen[0][:8].tolist() == [TOKENS.cls, *encode(TEMPLATE), TOKENS.sep]


def test_answers_are_ordinary_words_alone_with_their_probabilities() -> None:
    answers = ask([segment("fry the onion", (7,))])
    assert answers.ids.shape == answers.probabilities.shape == (1, 2, 5)
    assert [WORDS[id_] for id_ in answers.ids[0, :, 0]] == ["fry", "onion"]
    assert not np.isin(answers.ids, TOKENS.specials).any()
    assert answers.ids.max() < TOKENS.text_size
    others = len(WORDS) - len(TOKENS.specials) - 1
    assert answers.probabilities[0, 0, 0] == pytest.approx(math.e**3 / (math.e**3 + others))
    assert np.all(np.diff(answers.probabilities) <= 0)


def test_many_segments_are_answered_in_their_order() -> None:
    segments = [segment("", (index % 9,) * (1 + index % 4)) for index in range(150)]
    first = ask(segments).ids[:, :, 0]
    assert first.tolist() == [[ID[VERBS[i % 9 // 3]], ID[OBJECTS[i % 9 % 3]]] for i in range(150)]


def test_a_long_segment_is_thinned_evenly_and_a_template_without_room_is_an_error() -> None:
    seen = []

    def predict(batch: Batch) -> np.ndarray:
        seen.append(batch["token_ids"][0])
        return knowing(batch)

    ask([segment("", range(9))], predict=predict, length=14)
    assert (seen[0][seen[0] >= TOKENS.text_size] - TOKENS.text_size).tolist() == [0, 2, 4, 6, 8]
    with pytest.raises(ValueError, match="no room for video in 9 positions"):
        ask([segment("", range(9))], length=9)


@pytest.mark.parametrize("template", ["show how to cut the [MASK]", "[MASK] [MASK] [MASK]"])
def test_a_template_needs_two_blanks(template: str) -> None:
    with pytest.raises(ValueError, match="it needs 2"):
        zero_shot.encode_template(template, encode, TOKENS)


def test_scores_of_a_hand_made_case() -> None:
    segments = [
        segment("cut the carrot", (0,)),  # answered right
        segment("cut the carrot", (1,)),  # the object is taken for an onion
        segment("fry the onion", (3,)),  # verb "stir", object "carrot": both wrong
        segment("stir the egg", (5,)),  # right, by chance what the model says without video
    ]
    found = result(segments, training=["cut the carrot", "stir the onion", "boil the egg"])
    verb, thing = found["verb_top1"], found["object_top1"]
    assert (verb["cross_modal"], thing["cross_modal"]) == (3 / 4, 2 / 4)
    assert verb["language_prior"] == thing["language_prior"] == 1 / 4
    assert verb["chance"] == thing["chance"] == pytest.approx(1 / 3)
    assert (verb["seen_pairs"], thing["seen_pairs"]) == (1, 1 / 2)
    assert (verb["unseen_pairs"], thing["unseen_pairs"]) == (1 / 2, 1 / 2)
    assert verb["macro"] == pytest.approx((1 + 0 + 1) / 3)
    assert thing["macro"] == pytest.approx((1 / 2 + 0 + 1) / 3)
    assert found["verb_top5"]["chance"] == 1
    assert (found["segments"], found["unseen_segments"]) == (4, 2)
    assert found["verb_labels"] == {"words": ["cut", "fry", "stir"], "not_a_single_token": [], "segments": 4}


def test_any_label_of_the_segment_is_right_and_chance_knows_it() -> None:
    found = result([segment("cut the carrot and the onion", (1,)), segment("stir the egg", (3,))])
    assert found["object_top1"]["cross_modal"] == 1 / 2
    assert found["object_top1"]["chance"] == pytest.approx((2 / 3 + 1 / 3) / 2)


def test_top_5_is_any_of_the_first_five() -> None:
    def ranked(batch: Batch) -> np.ndarray:
        logits = np.zeros((*batch["prediction_positions"].shape, TOKENS.padded_size), np.float32)
        order = ["show", "how", "to", "the", "cut", "stir"]
        logits[:, 0, [ID[word] for word in order]] = [9, 8, 7, 6, 5, 4]
        return logits

    segments = [segment("cut the egg"), segment("stir the egg")]
    asked, unseen = questions([s.caption for s in segments], id_of), np.zeros(2, bool)
    answers = ask(segments, predict=ranked)
    prior = fill.language_prior(model_of(ranked), np.array(encode(TEMPLATE)), TOKENS)
    score = zero_shot.score(asked["verb"], 0, 5, answers, prior, unseen)
    assert (score["cross_modal"], score["language_prior"], score["unseen_pairs"]) == (0.5, 0.5, None)
    first = zero_shot.score(asked["verb"], 0, 1, answers, prior, unseen)
    assert (first["cross_modal"], first["language_prior"]) == (0, 0)


def test_chance_of_guessing_several_times() -> None:
    assert zero_shot._guess(labels=8, right=1, top=1) == pytest.approx(1 / 8)
    assert zero_shot._guess(labels=8, right=1, top=5) == pytest.approx(5 / 8)
    assert zero_shot._guess(labels=4, right=2, top=2) == pytest.approx(1 - 1 / 6)
    assert zero_shot._guess(labels=3, right=1, top=5) == 1


def test_segments_whose_words_have_no_token_are_not_asked_about_but_reported() -> None:
    segments = [segment("cut the zucchini", (0,)), segment("cut the carrot", (0,)), segment("cut", (0,))]
    found = result(segments)
    assert found["object_top1"]["cross_modal"] == 1
    assert found["object_labels"] == {"words": ["carrot"], "not_a_single_token": ["zucchini"], "segments": 1}
    assert found["verb_labels"]["segments"] == 3
    alone = result([segment("dice the zucchini", (0,))])
    assert set(alone["verb_top1"].values()) == {None}


def test_as_many_verbs_and_objects_are_asked_for_as_the_config_says() -> None:
    captions = ["cut the carrot", "cut the egg", "stir the egg", "fry the onion"]
    asked = questions(captions, id_of, section=ZeroShotConfig(verbs=1, objects=2))
    assert set(asked["verb"].labels.ids) == {"cut"}
    assert set(asked["object"].labels.ids) == {"egg", "carrot"}
    assert [len(right) for right in asked["verb"].right] == [1, 1, 0, 0]  # none is asked about the last two
    everything = questions(captions, id_of, section=ZeroShotConfig(verbs=0, objects=0))
    assert (set(everything["verb"].labels.ids), set(everything["object"].labels.ids)) == (set(VERBS), set(OBJECTS))


def test_the_paper_asks_for_45_verbs_and_100_objects() -> None:
    captions = [f"{verb} the {thing}" for verb, thing in zip(names(60), names(120)[60:], strict=True)]
    captions += [f"stir the {thing}" for thing in names(120)[:60]]
    asked = questions(captions, lambda word: int.from_bytes(word.encode()))
    assert (len(asked["verb"].labels.ids), len(asked["object"].labels.ids)) == (45, 100)


def names(count: int) -> list[str]:
    """Made-up words that the rule takes for verbs in the imperative."""
    return [f"{first}{second}o" for first in "bcdfghjklmnprt" for second in "aeiouwxyz"][:count]


def test_without_captions_everything_is_null_and_says_why() -> None:
    found = zero_shot.unanswerable(TEMPLATE, "no captions")
    for name in ("verb_top1", "verb_top5", "object_top1", "object_top5"):
        assert {"cross_modal", "language_prior", "chance", "unseen_pairs"} <= set(found[name])
        assert set(found[name].values()) == {None}
    assert found["reason"] == "no captions"


def test_blanks_may_be_filled_with_visual_words() -> None:
    sequence = encode_joint(np.array(encode("[MASK] [MASK]")), np.array([3]), TOKENS)
    answers = fill.fill_in(model_of(knowing), [sequence], "video", TOKENS)
    assert answers.ids.shape == (1, 2, 5)
    assert answers.ids.min() >= TOKENS.text_size
    assert answers.probabilities[0, 0, 0] == pytest.approx(1 / 12)
