"""Storyboards put together from known answers."""

import numpy as np
import pytest
from cloze_corpus import ID, TEMPLATE, TOKENS, encode, model_of, record, segment, write_tokenizer

from videobert_jax.data.batch import Batch
from videobert_jax.data.segments import evenly_spaced, sentence_segments
from videobert_jax.evaluation.report import readings
from videobert_jax.evaluation.report.readings import Guess
from videobert_jax.inference import storyboard
from videobert_jax.inference.fill import Fillings
from videobert_jax.tokenizer import TextTokenizer, load


@pytest.fixture
def words(tmp_path) -> TextTokenizer:
    write_tokenizer(tmp_path)
    return load(tmp_path)


def test_words_go_to_ids_and_back(words: TextTokenizer) -> None:
    assert words.encode(TEMPLATE.upper().replace("[MASK]", "[MASK]")) == encode(TEMPLATE)
    assert words.decode([ID["egg"], ID["##s"], ID["[MASK]"]]) == "eggs [MASK]"
    assert words.name(ID["##s"]) == "##s"
    assert words.id_of("egg") == ID["egg"]
    assert words.id_of("eggs") is None
    assert words.id_of("zucchini") is None


def test_decoded_text_is_spaced_as_usual(words: TextTokenizer) -> None:
    words._tokenizer.add_tokens([".", "'", "!", "s"])
    ids = words.encode("how's the egg ! 'to' the .")
    assert words.decode(ids) == "how's the egg! ' to ' the."


def test_a_reading_shows_frames_narration_and_what_is_right(words: TextTokenizer) -> None:
    shown = segment("cut the carrot", range(4), "w", start_clip=3, spoken=encode("show the carrot"))
    ids = [[[ID["stir"], ID["cut"], 7, 8, 9], [ID["carrot"], ID["onion"], 7, 8, 9]]]
    probabilities = np.full((1, 2, 5), 0.2, np.float32)
    jpegs = {"w": [b"%d" % clip for clip in range(9)]}
    (reading,) = readings.read([shown], Fillings(np.array(ids), probabilities), np.array([True]), words, jpegs.get)
    assert reading.frames == (b"3", b"4", b"5", b"6")
    assert (reading.video_id, reading.caption, reading.narration) == ("w", "cut the carrot", "show the carrot")
    assert reading.unseen
    assert [(guess.word, guess.right) for guess in reading.blanks[0][:2]] == [("stir", False), ("cut", True)]
    assert reading.blanks[1][0] == Guess("carrot", pytest.approx(0.2), True)

    (untold,) = readings.read(
        [segment("")], Fillings(np.array(ids), probabilities), np.array([False]), words, {"v": []}.get
    )
    assert {guess.right for blank in untold.blanks for guess in blank} == {None}


def test_a_caption_without_objects_has_no_pair_and_no_wrong_objects(words: TextTokenizer) -> None:
    answers = Fillings(np.full((1, 2, 5), ID["egg"]), np.full((1, 2, 5), 0.2, np.float32))
    (reading,) = readings.read([segment("cut")], answers, np.array([True]), words, {"v": []}.get)
    assert not reading.unseen
    assert [{guess.right for guess in blank} for blank in reading.blanks] == [{False}, {None}]


def test_sentences_come_from_the_different_captions() -> None:
    captions = ["stir the egg", "cut the carrot", "cut the carrot into pieces", "fry", "cut the carrot"]
    sentences = readings.sentences_to_picture(TEMPLATE, [segment(caption) for caption in captions])
    assert sentences == ["show how to cut the carrot", "show how to stir the egg"]


def test_a_sentence_is_pictured_by_the_likeliest_visual_words_at_each_position() -> None:
    def predict(batch: Batch) -> np.ndarray:
        """Visual words p, p + 1 and p + 2 at the p-th mask, in this order; a word is likelier than all of them."""
        sequence = [TOKENS.cls, *encode("cut the egg"), TOKENS.joiner, *[TOKENS.mask] * 5, TOKENS.sep]
        assert batch["token_ids"][0, : len(sequence)].tolist() == sequence
        assert batch["segment_types"][0, : len(sequence)].tolist() == [0] * 5 + [1] * 6
        logits = np.zeros((*batch["prediction_positions"].shape, TOKENS.padded_size), np.float32)
        logits[..., ID["egg"]] = 9
        for place in range(5):
            logits[:, place, TOKENS.text_size + place + np.arange(3)] = [5, 4, 3]
        return logits

    (pictured,) = storyboard.picture(model_of(predict), ["cut the egg"], encode, lambda word: b"%d" % word, TOKENS)
    assert pictured.pictures == tuple(tuple(b"%d" % (place + rank) for rank in range(3)) for place in range(5))
    assert all(best > second > third for best, second, third in pictured.probabilities)
    assert storyboard.picture(model_of(predict), [], encode, lambda word: b"", TOKENS) == []


def test_spoken_sentences_stand_in_for_captions() -> None:
    sentences = [("show the egg", 0.0, 3.5), ("fry", 3.6, 3.9), ("cut the egg", 6.0, 10.5)]
    first, last = sentence_segments([record(sentences=sentences, start_clip=0)])
    assert (first.visual_ids.tolist(), first.spoken, first.caption) == ([0, 1], tuple(encode("show the egg")), "")
    assert (last.visual_ids.tolist(), last.start_clip) == ([3, 4], 3)


def test_evenly_spaced_places_include_both_ends() -> None:
    assert evenly_spaced(11, 3).tolist() == [0, 5, 10]
    assert evenly_spaced(2, 6).tolist() == [0, 1]
    assert evenly_spaced(0, 6).tolist() == []
