"""The verb and the objects of a caption that is a statement, by a part-of-speech tagger."""

import itertools
import pathlib
import re
from collections.abc import Sequence
from typing import NamedTuple

from videobert_jax.errors import UserError

INSTALL = "pip install -e '.[tagger]'"
MODEL = "morphmodel_en.pgz"  # comes with HanTa; its tags are those of the British National Corpus (C5)
TOKEN = re.compile(r"[a-z]+?(?=n't\b)|n't\b|'[a-z]+|[a-z]+(?:-[a-z]+)*|[.,;:]")

NOUNS = ("NN", "NP0", "UNC")  # UNC: words that the tagger does not know, in captions mostly food
SUBJECTS = ("NN1", "PNP", "PNI")  # "man", "he", "someone"
FINITE = re.compile(r"V[BDHV][BDZ]|VM0")  # "cuts", "cut", "is", "can"; not "to cut", "cutting", "chopped onions"
CLAUSE_WORDS = ("CJS", "CJT")  # "while", "that"
BETWEEN = ("AV0", "AVP", "XX0", "TO0")  # what stands between the verbs of a group: "is not slowly", "begins to"
SUBORDINATORS = ("after", "as", "before", "once", "when", "while")
# Verbs that lead up to the main verb: "begins to cut", "is seen cutting".
LEADING = frozenset(TOKEN.findall("attempt be begin continue do get go have keep proceed see show start try"))

# Corrects what HanTa makes of "doing", "sprinkling", "dicing" and "shredding": "doi", "sprinkl", "dici" and "shredd".
STEMS = (
    (r"^doi$", "do"),
    (r"(?<=[bdfgkptz])l$", "le"),
    (r"(?<=[cv])i$", "e"),
    (r"(?<=..)([bdgmnp])\1$", r"\1"),
)


class Word(NamedTuple):
    """A word of a caption, in lower case.

    Attributes:
      surface: the word as written.
      base: its dictionary form.
      tag: its part of speech.
    """

    surface: str
    base: str
    tag: str


class Tagger:
    """Reads captions with HanTa. Raises UserError if HanTa is not installed."""

    def __init__(self) -> None:
        try:
            from HanTa import HanoverTagger
        except ImportError as error:
            raise UserError(f"captions that are not imperatives, and nouns, need HanTa: {INSTALL} ({error})") from error
        # By its whole path: HanTa prefers a file of that name in the working directory, and unpickles it.
        self._hanta = HanoverTagger.HanoverTagger(str(pathlib.Path(HanoverTagger.__file__).with_name(MODEL)))

    def verb_and_objects(self, caption: str) -> tuple[str, tuple[str, ...]]:
        """The main verb of a caption in its base form, and the nouns that it acts on, as written.

        The nouns are those after the verb in its clause, and the subject of a passive. A caption without an action,
        such as "the cake is on the table", has an empty verb and no objects.
        """
        words = _main_clause(self._tag(TOKEN.findall(caption.lower())))
        group = _verb_group(words)
        if not group or words[group[-1]].base == "be":
            return "", ()
        subject = words[: group[0]] if _is_passive([words[index] for index in group]) else []
        acted_on = (*subject, *_clause_after(words, group[-1]))
        objects = (word.surface for word in acted_on if word.tag.startswith(NOUNS))
        return words[group[-1]].base, tuple(dict.fromkeys(objects))

    def nouns(self, caption: str) -> frozenset[str]:
        """All nouns of a caption, as written but in lower case."""
        return frozenset(w.surface for w in self._tag(TOKEN.findall(caption.lower())) if w.tag.startswith(NOUNS))

    def _tag(self, tokens: Sequence[str]) -> list[Word]:
        words = [Word(*word) for word in self._hanta.tag_sent(tokens)]
        for index, word in enumerate(words):
            if _is_mistaken_gerund(words, index):
                words[index] = Word(word.surface, *self._hanta.analyze(word.surface, pos="VVG"))
            elif _is_mistaken_plural(words, index):
                words[index] = Word(word.surface, *self._hanta.analyze(word.surface, pos="VVZ"))
        return [word._replace(base=_base(word.base)) if word.tag.startswith("VV") else word for word in words]


def _base(stem: str) -> str:
    for ending, right in STEMS:
        stem = re.sub(ending, right, stem)
    return stem


def _is_mistaken_gerund(words: Sequence[Word], index: int) -> bool:
    """Whether a verb is tagged as a noun or an adjective, as in "is grating cheese"."""
    word = words[index]
    before = [other for other in words[:index] if other.tag not in BETWEEN]
    if word.tag not in ("NN1", "AJ0") or not word.surface.endswith("ing") or not before:
        return False
    return before[-1].base == "be" or not any(other.tag.startswith("V") for other in words)


def _is_mistaken_plural(words: Sequence[Word], index: int) -> bool:
    """Whether the first verb is tagged as a plural, as in "the man hands the mop to the lady"."""
    if words[index].tag != "NN2" or not index or words[index - 1].tag not in SUBJECTS:
        return False
    clause = (*words[:index], *_until(words[index:], ("CJ", "PU")))
    return not any(FINITE.fullmatch(word.tag) for word in clause)


def _until(words: Sequence[Word], tags: tuple[str, ...]) -> list[Word]:
    """The words before the first whose tag begins with one of these."""
    return list(itertools.takewhile(lambda word: not word.tag.startswith(tags), words))


def _main_clause(words: Sequence[Word]) -> Sequence[Word]:
    """The words without a clause before the main one, as in "after she is done, she shows a bottle"."""
    comma = next((index for index, word in enumerate(words) if word.surface == ","), 0)
    return words[comma + 1 :] if comma and words[0].surface in SUBORDINATORS else words


def _verb_group(words: Sequence[Word]) -> list[int]:
    """The places of the main verb and of those that lead up to it, as in "is shown cutting"; the main verb is last."""
    verbs = [index for index, word in enumerate(words) if word.tag.startswith("V")]
    finite = (index for index in verbs if FINITE.fullmatch(words[index].tag))
    group = [next(finite, verbs[0])] if verbs else []
    for following in (index for index in verbs if group and index > group[0]):
        if not _leads_to(words, group[-1], following):
            break
        group.append(following)
    return group


def _leads_to(words: Sequence[Word], verb: int, following: int) -> bool:
    is_leading = words[verb].tag == "VM0" or words[verb].base in LEADING
    return is_leading and all(word.tag in BETWEEN for word in words[verb + 1 : following])


def _is_passive(group: Sequence[Word]) -> bool:
    return group[-1].tag in ("VVN", "VDN") and any(word.base in ("be", "get") for word in group[:-1])


def _clause_after(words: Sequence[Word], verb: int) -> list[Word]:
    """The words up to the next verb or clause; participles, as in "a cup of chopped onions", do not end it."""
    return _until([word for word in words[verb + 1 :] if word.tag != "VVN"], ("V", *CLAUSE_WORDS))
