"""The tagger, on sentences of every form that captions have."""

import pathlib
import sys

import pytest

from videobert_jax.errors import UserError
from videobert_jax.evaluation.tagger import INSTALL, Tagger


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger()


CAPTIONS = {
    # Progressive.
    "Someone is chopping a leek.": ("chop", ("leek",)),
    "two cooks are kneading the dough": ("knead", ("dough",)),
    "the goat has been chewing the curtains": ("chew", ("curtains",)),
    "a sailor is not slowly folding the sails": ("fold", ("sails",)),
    # Third person, past and bare forms.
    "he grates the nutmeg": ("grate", ("nutmeg",)),
    "a plumber tightened the bolts": ("tighten", ("bolts",)),
    "two clowns throw a hat": ("throw", ("hat",)),
    "the boy doesn't eat the soup": ("eat", ("soup",)),
    "the farmer has milked the cow": ("milk", ("cow",)),
    "the boy didn't eat the soup": ("eat", ("soup",)),
    "A Tourist Photographs PARIS": ("photograph", ("paris",)),
    "player 7 scores a goal": ("score", ("goal",)),
    "he will paint the fence": ("paint", ("fence",)),
    "The waiter smiles.": ("smile", ()),
    # Passive: the subject is acted on.
    "the eggs are cracked into a bowl": ("crack", ("eggs", "bowl")),
    "the tyres get changed": ("change", ("tyres",)),
    "the carrots are being peeled": ("peel", ("carrots",)),
    "the tap is done": ("do", ("tap",)),
    # Verbs that lead up to the main verb.
    "the gardener begins to water the roses": ("water", ("roses",)),
    "the nurse is shown wrapping a bandage": ("wrap", ("bandage",)),
    "a girl can try to open the jar": ("open", ("jar",)),
    "a cook can juggle while the bread bakes": ("juggle", ()),
    "the bees attempt to enter the hive": ("enter", ("hive",)),
    "a robot continues to climb the wall": ("climb", ("wall",)),
    "they go bowling": ("bowl", ()),
    "the clown keeps juggling balls": ("juggle", ("balls",)),
    "he gets up to close the door": ("close", ("door",)),
    "the men proceed to lift the piano": ("lift", ("piano",)),
    "a camel is seen eating leaves": ("eat", ("leaves",)),
    "a boy starts to climb a tree": ("climb", ("tree",)),
    "a tramp starts a fire to cook the fish": ("start", ("fire",)),
    # Subordinate clauses, before and after; further clauses.
    "after the dough has rested, the baker rolls it with a pin": ("roll", ("pin",)),
    "while the pan heats, he slices two tomatoes": ("slice", ("tomatoes",)),
    "to open the jar she uses a knife": ("use", ("knife",)),
    "the woman mends the net while a man watches": ("mend", ("net",)),
    "the thief says that the lamp is broken": ("say", ()),
    "the lady grabs the rope and pulls the sledge": ("grab", ("rope",)),
    # Participles within an object, and words that the tagger does not know.
    "a farmer shows a basket filled with apples": ("show", ("basket", "apples")),
    "a farmer adds a cup of chopped onions": ("add", ("cup", "onions")),
    "a chef fries the tofu, the tofu and the kimchi": ("fry", ("tofu", "kimchi")),
    # No action.
    "the cake is on the table": ("", ()),
    "a violin": ("", ()),
    "wedding cake": ("", ()),
    "": ("", ()),
    "12 !": ("", ()),
}


@pytest.mark.parametrize("caption", CAPTIONS)
def test_the_verb_is_in_its_base_form_and_the_nouns_it_acts_on_as_written(tagger: Tagger, caption: str) -> None:
    assert tagger.verb_and_objects(caption) == CAPTIONS[caption]


@pytest.mark.parametrize(
    ("caption", "verb"),
    [
        ("a girl and a boy doing homework", "do"),
        ("she is sprinkling salt over the chips", "sprinkle"),
        ("she is dicing potatoes", "dice"),
        ("she is shredding paper", "shred"),
        ("she is rolling the dough", "roll"),
        ("she sprinkles sugar on the cake", "sprinkle"),
    ],
)
def test_base_forms_of_verbs_that_hanta_does_not_know(tagger: Tagger, caption: str, verb: str) -> None:
    assert tagger.verb_and_objects(caption)[0] == verb


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a pirate is grating cheese", ("grate", ("cheese",))),
        ("a dog and a cat fighting", ("fight", ())),
        ("the man hands the mop to the lady", ("hand", ("mop", "lady"))),
        ("the man hands the mop to the lady and smiles", ("hand", ("mop", "lady"))),
        ("the girl cartwheels, she laughs", ("cartwheel", ())),
        ("the man is not surfing the wave", ("surf", ("wave",))),
        ("he skateboards around the park", ("skateboard", ("park",))),
        ("somebody skateboards down the hill", ("skateboard", ("hill",))),
    ],
)
def test_verbs_that_hanta_takes_for_nouns(tagger: Tagger, caption: str, expected: tuple[str, tuple[str, ...]]) -> None:
    assert tagger.verb_and_objects(caption) == expected


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("the dog ears are long", ("", ())),
        ("the woman cuts the carrot slices", ("cut", ("carrot", "slices"))),
        ("the wedding cake falls", ("fall", ())),
        ("blue cars race around the track", ("", ())),
    ],
)
def test_nouns_that_look_like_verbs_stay_nouns(
    tagger: Tagger, caption: str, expected: tuple[str, tuple[str, ...]]
) -> None:
    assert tagger.verb_and_objects(caption) == expected


def test_another_tagger_gives_the_same_in_another_order(tagger: Tagger) -> None:
    other = Tagger()
    assert {caption: other.verb_and_objects(caption) for caption in reversed(CAPTIONS)} == CAPTIONS
    assert tagger.verb_and_objects("he grates the nutmeg") == CAPTIONS["he grates the nutmeg"]


def test_without_hanta_the_error_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "HanTa", None)
    with pytest.raises(UserError) as error:
        Tagger()
    assert INSTALL in str(error.value)


def test_a_model_file_in_the_working_directory_is_not_read(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "morphmodel_en.pgz").write_bytes(b"no model")
    monkeypatch.chdir(tmp_path)
    assert Tagger().verb_and_objects("he grates the nutmeg") == CAPTIONS["he grates the nutmeg"]
