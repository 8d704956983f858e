"""The right answers about held-out video, by its captions: what is done there, and to what."""

import collections
import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from videobert_jax.errors import ConfigError
from videobert_jax.evaluation.tagger import OPENERS, Tagger, is_imperative

NUM_VERBS, NUM_OBJECTS = 45, 100  # commonest words that are asked for (the paper's numbers for YouCook II)
WORD = re.compile(r"[a-z]+(?:['-][a-z]+)*")
# Words of captions that name neither an action nor a thing.
FUNCTION_WORDS = OPENERS | frozenset(
    WORD.findall(
        """a about above across after again all also an and another any around as at away back be before below beside
        between both but by couple down during each every few first five for four from gently half his her
        how if in into is it its just more most my of off on once one only onto or other our out over own
        quickly side slowly some so than that the their them then there these they third this those three
        through till to together two under until up using very well when where which while with within
        without you your"""
    )
)


Reading = tuple[str, tuple[str, ...]]  # verb, objects; an empty verb where there is none


def verb_and_objects(caption: str) -> Reading:
    """The verb and the object words of a caption in the imperative, as "cut the carrot into slices".

    No tagger is needed in this style: the verb comes first, and what follows that is no function word is taken for an
    object. A caption without any such word has an empty verb.
    """
    words = [word for word in WORD.findall(caption.lower()) if word not in FUNCTION_WORDS]
    return (words[0], tuple(dict.fromkeys(words[1:]))) if words else ("", ())


@dataclasses.dataclass(frozen=True)
class CaptionReader:
    """Reads what captions say: imperatives by the rule above, others by a tagger, or not at all without one.

    A caption that cannot be read has an empty verb and no objects, so that nothing is asked about it: the rule would
    take "a man is cutting a carrot" for the verb "man".
    """

    tagger: Tagger | None = None

    def __call__(self, caption: str) -> Reading:
        """The verb and the objects of a caption."""
        if is_imperative(caption):
            return verb_and_objects(caption)
        return self.tagger.verb_and_objects(caption) if self.tagger else ("", ())

    def unreadable(self, captions: Iterable[str]) -> int:
        """How many of the captions have no verb that it can tell."""
        return sum(not self(caption)[0] for caption in captions)


IMPERATIVES = CaptionReader()


def find_reader() -> CaptionReader:
    """With the tagger if the extra `[tagger]` is installed."""
    try:
        return CaptionReader(Tagger())
    except ConfigError:
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
    """The `count` words that are among the answers of the most segments.

    Args:
      answers: for each segment, the words that would be right.
      count: words to choose; ties go by the alphabet.
      id_of: the id of a word that is a single token, None for another.
    """
    frequency = collections.Counter(word for words in answers for word in set(words) if word)
    found = {word: id_of(word) for word in sorted(frequency, key=lambda word: (-frequency[word], word))[:count]}
    return Labels(
        ids={word: id_ for word, id_ in found.items() if id_ is not None},
        not_single=tuple(word for word, id_ in found.items() if id_ is None),
    )


def pairs(captions: Iterable[str], read: CaptionReader = IMPERATIVES) -> set[tuple[str, str]]:
    """Every (verb, object word) of the captions."""
    found = (read(caption) for caption in set(captions))
    return {(verb, word) for verb, objects in found for word in objects}
