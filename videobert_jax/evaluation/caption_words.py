"""The right answers about held-out video, by its captions: what is done there, and to what."""

import collections
import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from videobert_jax.errors import UserError
from videobert_jax.evaluation.tagger import Tagger

WORD = re.compile(r"[a-z]+(?:['-][a-z]+)*")
# Words that can precede the verb of an imperative.
OPENERS = frozenset(
    WORD.findall(
        """again also and carefully coarsely evenly finally finely first gently gradually immediately just lastly
        lightly next now please quickly roughly second simply slowly so then thinly third thoroughly"""
    )
)
# Words of captions that name neither an action nor a thing.
FUNCTION_WORDS = OPENERS | frozenset(
    WORD.findall(
        """a about above across after all an another any around as at away back be before below beside between both but
        by couple down during each every few five for four from half her his how if in into is it its more most
        my of off on once one only onto or other our out over own side some than that the their them there these
        they this those three through till to together two under until up using very well when where which while
        with within without you your"""
    )
)
# Other words that captions begin with, but imperatives do not.
BEGINNINGS = frozenset(
    WORD.findall(
        """although baby because behind boy chef child children eight everyone girl group guy he however i inside kid
        lady later man many men near nine outside people person seven several she six somebody someone something
        soon still ten video we what who woman women yet"""
    )
)
AUXILIARIES = frozenset(WORD.findall("am are be been being did do does had has is was were will would"))
# "there's", "carrots", "cuts", "chopped", "cutting", "suddenly"; but not "press", "shred", "feed", "bring", "apply".
NO_BASE_FORM = re.compile(r".*'.*|.*[^s]s|.*[aeiouy].*(?:[^e]ed|ing)|.*[^p]ly")

Reading = tuple[str, tuple[str, ...]]  # verb, objects; an empty verb where there is none


def verb_and_objects(caption: str) -> Reading:
    """The verb and the object words of a caption in the imperative, such as "cut the carrot into slices".

    The verb is the first word that is not a function word; all others are objects. A caption of function words alone
    has an empty verb.
    """
    words = [word for word in WORD.findall(caption.lower()) if word not in FUNCTION_WORDS]
    return (words[0], tuple(dict.fromkeys(words[1:]))) if words else ("", ())


def is_imperative(caption: str) -> bool:
    """Whether the first word of the caption, apart from openers such as "then", can be a verb in the imperative."""
    words = [word for word in WORD.findall(caption.lower()) if word not in OPENERS]
    if not words or words[0] in FUNCTION_WORDS | BEGINNINGS or not AUXILIARIES.isdisjoint(words[:3]):
        return False
    return not NO_BASE_FORM.fullmatch(words[0])


@dataclasses.dataclass(frozen=True)
class CaptionReader:
    """Reads imperatives by the rule of `verb_and_objects`, other captions by a tagger.

    With `nouns`, the tagger also sorts out the objects of imperatives: all that is no noun goes, as "red" in "cut the
    red onion".

    A caption that cannot be read has an empty verb and no objects. Without a tagger, these are all but imperatives: by
    the rule, the verb of "a man is cutting a carrot" would be "man".
    """

    tagger: Tagger | None = None
    nouns: bool = False

    def __call__(self, caption: str) -> Reading:
        """The verb and the objects of a caption."""
        if not is_imperative(caption):
            return self.tagger.verb_and_objects(caption) if self.tagger else ("", ())
        verb, objects = verb_and_objects(caption)
        if not (self.nouns and self.tagger):
            return verb, objects
        nouns = self.tagger.nouns(caption)
        return verb, tuple(word for word in objects if word in nouns)

    def unreadable(self, captions: Iterable[str]) -> int:
        """How many of the captions cannot be read."""
        return sum(not self(caption)[0] for caption in captions)


IMPERATIVES = CaptionReader()


def find_reader(nouns: bool = False) -> CaptionReader:
    """A reader with a tagger if the extra `[tagger]` is installed. With `nouns` it must be: UserError if it is not."""
    try:
        return CaptionReader(Tagger(), nouns)
    except UserError:
        if nouns:
            raise
        return IMPERATIVES


@dataclasses.dataclass(frozen=True)
class Labels:
    """The words that may be asked for in one blank.

    Attributes:
      ids: text id of each word.
      not_single: words as common as those, but that the tokenizer has no single token for; they are never right.
    """

    ids: Mapping[str, int]
    not_single: tuple[str, ...]


def commonest(answers: Iterable[Sequence[str]], count: int, id_of: Callable[[str], int | None]) -> Labels:
    """The `count` words that are among the answers of the most segments; all words if it is 0.

    Args:
      answers: for each segment, the words that would be right.
      count: words to choose; ties go by the alphabet.
      id_of: the id of a word that is a single token, None for another.
    """
    frequency = collections.Counter(word for words in answers for word in set(words) if word)
    ranked = sorted(frequency, key=lambda word: (-frequency[word], word))
    found = {word: id_of(word) for word in ranked[: count or None]}
    return Labels(
        ids={word: id_ for word, id_ in found.items() if id_ is not None},
        not_single=tuple(word for word, id_ in found.items() if id_ is None),
    )


def pairs(captions: Iterable[str], read: CaptionReader = IMPERATIVES) -> set[tuple[str, str]]:
    """Every (verb, object word) of the captions."""
    found = (read(caption) for caption in set(captions))
    return {(verb, word) for verb, objects in found for word in objects}
