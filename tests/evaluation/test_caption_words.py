"""Segments of held-out video, and the right answers about them."""

import sys

import numpy as np
import pytest
from cloze_corpus import encode, id_of, record

from videobert_jax.data.segments import find_segments
from videobert_jax.errors import UserError
from videobert_jax.evaluation.caption_words import (
    IMPERATIVES,
    CaptionReader,
    Labels,
    commonest,
    find_reader,
    is_imperative,
    pairs,
    verb_and_objects,
)
from videobert_jax.evaluation.tagger import Tagger


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("cut the carrot", ("cut", ("carrot",))),
        ("Spread margarine on two slices of white bread.", ("spread", ("margarine", "slices", "white", "bread"))),
        ("add salt, salt and pepper to the pan", ("add", ("salt", "pepper", "pan"))),
        ("then stir-fry the sliced onion", ("stir-fry", ("sliced", "onion"))),
        ("stir", ("stir", ())),
        ("", ("", ())),
        ("12 !", ("", ())),
    ],
)
def test_the_verb_comes_first_and_the_other_words_are_objects(caption: str, expected) -> None:
    assert verb_and_objects(caption) == expected


@pytest.mark.parametrize(
    "caption",
    [
        "Peel the potato.",
        "then carefully bring the milk to a boil",
        "now, finely shred the cabbage",
        "apply the glaze",
        "feed the parrot",
        "press the lid down",
        "stir",
    ],
)
def test_an_imperative_begins_with_the_base_form_of_a_verb(caption: str) -> None:
    assert is_imperative(caption)


@pytest.mark.parametrize(
    "caption",
    [
        "a man peels a potato",
        "then he peels a potato",
        "someone peeling a potato",
        "women peel potatoes",
        "peeling the potato",
        "peeled potatoes lie there",
        "peels are everywhere",
        "they've peeled a potato",
        "dogs peel no potato",
        "in a bowl mix the eggs",
        "suddenly the lamp falls",
        "lena is peeling a potato",
        "uncle tom has peeled it",
        "carefully",
        "12 !",
        "",
    ],
)
def test_a_statement_is_no_imperative(caption: str) -> None:
    assert not is_imperative(caption)


def test_a_reader_without_tagger_reads_imperatives_alone() -> None:
    captions = ["then peel the potato", "a man is peeling a potato", "he peels"]
    assert [IMPERATIVES(caption) for caption in captions] == [("peel", ("potato",)), ("", ()), ("", ())]
    assert IMPERATIVES.unreadable(captions) == 2


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger()


def test_a_reader_with_tagger_reads_imperatives_by_the_rule_and_others_by_the_tagger(tagger: Tagger) -> None:
    read = CaptionReader(tagger)
    assert read("dice the yellow pepper") == IMPERATIVES("dice the yellow pepper") == ("dice", ("yellow", "pepper"))
    assert read("a man is dicing a yellow pepper") == ("dice", ("pepper",))
    assert read.unreadable(["dice it", "a man is dicing", "the pepper is yellow"]) == 1
    assert pairs(["dice the pepper", "a man is dicing a leek"], read) == {("dice", "pepper"), ("dice", "leek")}


def test_with_nouns_the_objects_of_imperatives_are_nouns_alone(tagger: Tagger) -> None:
    captions = ["place the chopped red onion in a hot pan", "a man is dicing a yellow pepper"]
    words, nouns = CaptionReader(tagger), CaptionReader(tagger, nouns=True)
    assert words(captions[0]) == ("place", ("chopped", "red", "onion", "hot", "pan"))
    assert nouns(captions[0]) == ("place", ("onion", "pan"))
    assert nouns(captions[1]) == words(captions[1])


def test_nouns_need_the_tagger(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_reader(nouns=True).nouns
    monkeypatch.setitem(sys.modules, "HanTa", None)
    with pytest.raises(UserError, match="nouns, need HanTa: pip install"):
        find_reader(nouns=True)


def test_the_tagger_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_reader().tagger is not None
    monkeypatch.setitem(sys.modules, "HanTa", None)
    assert find_reader() == IMPERATIVES


def test_segments_hold_the_clips_whose_centres_lie_within_and_what_is_said_meanwhile() -> None:
    captions = [("cut the carrot", 3.5, 8.9), ("fry the egg", 9.2, 10.8)]  # the centres are 1, 3, 5, 7, 9 and 11
    sentences = [("show", 0.0, 3.0), ("cut the carrot", 2.0, 7.0), ("fry", 7.0, 8.5), ("onion", 8.0, 9.5)]
    (segment,) = find_segments([record(captions, sentences)])
    assert (segment.video_id, segment.caption, segment.start_clip) == ("v", "cut the carrot", 2)
    assert segment.visual_ids.tolist() == [2, 3]
    assert segment.spoken == tuple(encode("cut the carrot fry"))


def test_segments_of_a_later_chunk_count_clips_from_the_start_of_the_video() -> None:
    sentences = [("fry", 21.0, 22.5), ("stir", 22.5, 24.0)]
    (segment,) = find_segments([record([("stir the egg", 22.5, 25.5)], sentences, start_clip=10)])
    assert segment.start_clip == 11
    assert segment.visual_ids.tolist() == [1, 2]
    assert segment.spoken == tuple(encode("stir"))


def test_labels_are_the_commonest_words_and_those_without_a_token_are_named() -> None:
    answers = [("carrot", "carrot", "carrot"), ("onion",), ("onion", "zucchini"), ("zucchini",), ("egg",), ()]
    assert commonest(answers, 2, id_of) == Labels({"onion": id_of("onion")}, ("zucchini",))
    assert set(commonest(answers, 3, id_of).ids) == {"onion", "carrot"}  # before "egg", by the alphabet
    assert commonest([("",)], 3, id_of) == Labels({}, ())
    assert set(commonest(answers, 0, id_of).ids) == {"onion", "carrot", "egg"}


def test_pairs_join_the_verb_with_every_object() -> None:
    found = pairs(np.array(["cut the carrot and the onion", "fry", "stir the egg"]))
    assert found == {("cut", "carrot"), ("cut", "onion"), ("stir", "egg")}
