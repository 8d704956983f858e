"""Answers to questions, from a model that was pretrained and from one that was trained to answer."""

import dataclasses
import pathlib

import jax
import numpy as np
import pytest
import tiny_run
from scipy import special

from videobert_jax import tasks, tokenizer
from videobert_jax.config import AnsweringConfig, PretrainingConfig, RetrievalConfig
from videobert_jax.data.prepared import Prepared
from videobert_jax.data.rows.labelled import Labelled
from videobert_jax.data.segments import Segment, beside
from videobert_jax.errors import UserError
from videobert_jax.evaluation import answering
from videobert_jax.inference import classify, cloze, fill
from videobert_jax.inference.model import Model

TEXTS = ("what color is the mat", "the mat is red", "there are two cups", "is the cook at the beach", "yes no")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tiny_run.write_prepared(tmp_path_factory.mktemp("cloze") / "prepared")
    tokenizer.train(TEXTS, 120).save(folder / "tokenizer")
    (folder / "vocabulary" / "tree.npz").write_bytes(b"words")
    return Prepared(folder)


def model_of(section: object, prepared: Prepared) -> Model:
    config = dataclasses.replace(tiny_run.tiny_config(pathlib.Path("cache")), task=section)
    words = tokenizer.load(prepared.tokenizer)
    tokens = dataclasses.replace(tiny_run.TOKENS, mask=words.encode("[MASK]")[0])
    assert (tokens.mask, words.decode([tokens.mask])) == (tiny_run.TOKENS.mask, "[MASK]")
    task = tasks.make_task(config, tokens)
    return Model(config, task, jax.jit(task.init)(jax.random.key(3)), prepared)


@pytest.fixture(scope="module")
def pretrained(prepared: Prepared) -> Model:
    return model_of(PretrainingConfig(max_predictions=12), prepared)


@pytest.fixture(scope="module")
def trained(prepared: Prepared) -> Model:
    return model_of(AnsweringConfig(questions="asked", classes="red;two;yes;no"), prepared)


SEGMENT = Segment("clip", "", 0, np.array([3, 1, 4, 1, 5], np.int32), ())


@pytest.mark.parametrize(
    ("question", "statement"),
    [
        ("what color is the mat?", "the mat is [MASK]"),
        ("Which colour are the sleeves ?", "the sleeves are [MASK]"),
        ("which color does the cook wear?", "the cook wears [MASK]"),
        ("how many eggs are there?", "there are [MASK] eggs"),
        ("where is the cook", "the cook is in the [MASK]"),
        ("what is being cut?", "the [MASK] is being cut"),
        ("which food comes last?", "the [MASK] comes last"),
        ("is there an onion?", "is there an onion? answer: [MASK]"),
        ("what color is it, and where?", "it, and where is [MASK]"),
        (r"why \1?", r"why \1? answer: [MASK]"),
    ],
)
def test_a_question_becomes_a_statement(question: str, statement: str) -> None:
    assert cloze.statement(question) == statement


def test_an_answer_is_as_likely_as_its_words_beside_the_clips(pretrained: Model) -> None:
    """Answers of one and of several WordPieces, by the network itself."""
    answers = ("red", "cook", "zebra", "the beach")
    pieces = [pretrained.words.encode(one) for one in answers]
    assert len({len(one) for one in pieces}) > 1
    expected, allowed = [], fill.vocabulary(pretrained.tokens, "text")
    for ids in pieces:
        words = np.array(pretrained.words.encode("the mat is " + " ".join(["[MASK]"] * len(ids))), np.int32)
        batch = fill.batch_of([beside(words, SEGMENT, 40, pretrained.tokens)], pretrained.tokens, 1)
        logits = pretrained.outputs(batch).predictions[0].astype(np.float64)
        known = special.log_softmax(np.where(allowed, logits, -np.inf), axis=-1)
        expected.append(np.mean([known[place, id_] for place, id_ in enumerate(ids)]))
    (scores,) = cloze.scores_of(pretrained, [("what color is the mat?", SEGMENT)], answers)
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    found = pretrained.answer("what color is the mat?", SEGMENT, answers)
    assert [one.answer for one in found] == [answers[place] for place in np.argsort(-scores)]
    assert sum(one.probability for one in found) == pytest.approx(1)
    assert found[0].probability == pytest.approx(np.exp(np.max(scores)) / np.exp(scores).sum())


def test_many_questions_have_the_answers_of_each(pretrained: Model) -> None:
    other = dataclasses.replace(SEGMENT, visual_ids=np.array([9, 2, 6], np.int32))
    asked = [
        ("what color is the mat?", SEGMENT),
        ("is the cook at the beach?", other),
        ("what color is the mat?", other),
    ]
    together = cloze.scores_of(pretrained, asked, ("red", "yes"))
    for row, one in zip(together, asked, strict=True):
        np.testing.assert_allclose(row, cloze.scores_of(pretrained, [one], ("red", "yes"))[0], atol=1e-4)
    assert abs(together[0] - together[2]).max() > 1e-4, "the clips count"


def test_a_model_that_was_trained_to_answer_knows_its_answers(trained: Model) -> None:
    found = trained.answer("what color is the mat?", SEGMENT)
    words = tuple(trained.words.encode("what color is the mat?"))
    expected = classify.probabilities(classify.logits_of(trained, [Labelled(SEGMENT, words, ())]), False)[0]
    assert [one.probability for one in found] == pytest.approx(sorted(expected, reverse=True))
    assert [one.answer for one in found] == [("red", "two", "yes", "no")[place] for place in np.argsort(-expected)]
    some = trained.answer("what color is the mat?", SEGMENT, ["no", "red"])
    assert {one.answer for one in some} == {"no", "red"}
    assert sum(one.probability for one in some) == pytest.approx(1)


def test_what_cannot_be_answered_is_refused(pretrained: Model, trained: Model, prepared: Prepared) -> None:
    for question in ("", "  ", "the mat is [MASK]"):
        with pytest.raises(UserError, match=r"the question is .*, expected words without"):
            trained.answer(question, SEGMENT)
    with pytest.raises(UserError, match="'blue' is none of the 4 answers that this model was trained to give"):
        trained.answer("what color is the mat?", SEGMENT, ["red", "blue"])
    for answers in ([], ["red", ""]):
        with pytest.raises(UserError, match="expected at least one, and each with words"):
            pretrained.answer("what color is the mat?", SEGMENT, answers)
    with pytest.raises(UserError, match="expected different ones"):
        pretrained.answer("what color is the mat?", SEGMENT, ["red", "red"])
    with pytest.raises(UserError, match="ask it shorter"):
        pretrained.answer("what color is the " + "mat " * 99 + "?", SEGMENT, ["red"])
    config = dataclasses.replace(pretrained.config, task=RetrievalConfig())
    other = Model(config, tasks.make_task(config, pretrained.tokens), {}, prepared)
    with pytest.raises(UserError, match="'retrieval', which answers nothing"):
        other.answer("what color is the mat?", SEGMENT, ["red"])


def test_a_pretrained_model_is_asked_the_same_questions(
    pretrained: Model, trained: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "load", lambda folder: {"runs/demo": pretrained}[folder])
    asked = [
        Labelled(dataclasses.replace(SEGMENT, caption=question), (7,), (0,))
        for question in ("what color is the mat?", "is the cook at the beach?")
    ]
    scores = cloze.scores_of(
        pretrained, [(one.segment.caption, one.segment) for one in asked], ("red", "two", "yes", "no")
    )
    best = scores.argmax(axis=1)
    assert answering.zero_shot(trained, "runs/demo", asked, best).tolist() == [1.0, 1.0]
    assert answering.zero_shot(trained, "runs/demo", asked, (best + 1) % 4).tolist() == [0.0, 0.0]
