"""The verb and the objects of captions of any style, by a part-of-speech tagger."""

import itertools
import pathlib
import re
from collections.abc import Sequence
from typing import NamedTuple

from videobert_jax.errors import ConfigError

MODEL = "morphmodel_en.pgz"  # comes with HanTa; its tags are those of the British National Corpus (C5)
TOKEN = re.compile(r"[a-z]+?(?=n't\b)|n't\b|'[a-z]+|[a-z]+(?:-[a-z]+)*|\d+|[.,;:]")

# What may stand before the verb of an imperative.
OPENERS = frozenset(
    TOKEN.findall(
        """again also and carefully coarsely evenly finally finely first gently gradually immediately just lastly
        lightly next now please quickly roughly second simply slowly so then thinly third thoroughly"""
    )
)
# What the subject of a sentence or a phrase before its verb begins with: an imperative begins with none of these.
BEGINNINGS = frozenset(
    TOKEN.findall(
        """a about above across after afterwards all along an another any around as at baby because before behind
        beside between both boy but by chef child children during each eight either every everyone few five for four
        from girl group guy half he her his how however i if in inside into it its kid lady later man many men more
        most my near nine of on once one only onto other our outside over people person seven several she six some
        somebody someone something soon still ten that the their there these they this those three through to two
        under until up various very video we what when where while who with woman women yet you your"""
    )
)
AUXILIARIES = frozenset(TOKEN.findall("am are be been being did do does had has is was were will would"))
NO_BASE_FORM = re.compile(r"\d.*|.*[^s]s|.*(?:ed|ing|ly)")  # "2", "carrots", "cuts", "chopped", "cutting", "suddenly"
BASE_FORM = frozenset(
    TOKEN.findall("apply bring feed fling multiply need ring seed shred sing speed string supply swing wring")
)

SUBJECT = ("you", "can")  # makes a statement of an imperative
NOUNS = ("NN", "NN0", "NN1", "NN2", "NP0", "UNC")  # UNC: words that the tagger never met, in captions mostly food
FINITE = re.compile(r"V[BDHV][BDZ]|VM0")  # "cuts", "cut", "is", "can"; not "to cut", "cutting", "chopped onions"
SUBORDINATORS = ("after", "as", "before", "once", "when", "while")
CLAUSE_WORDS = ("CJS", "CJT")  # "while", "that"
# What follows a verb, but seldom a plural noun that is no subject: "the man hands the mop", "the camera pans around".
AFTER_VERBS = ("AT0", "AV0", "AVP", "CJS", "DPS", "DT0", "PNP", "PRP")
DETERMINERS = ("AT0", "DPS", "DT0")
BETWEEN = ("AV0", "AVP", "XX0", "TO0")  # what may stand between two verbs of one group: "is not slowly", "begins to"
# Verbs that only lead up to the one that tells what is done, if one follows: "begins to cut", "is seen cutting".
LEADING = frozenset(TOKEN.findall("attempt begin continue do get go have keep proceed see show start try"))

# What HanTa may leave of "doing", "sprinkling", "dicing", "dredging" and "shredding", and what is to become of it.
STEMS = (
    (r"^doi$", "do"),
    (r"(?<=[bdfgkptz])l$", "le"),
    (r"(?<=[cv])i$", "e"),
    (r"(?<=dg)$", "e"),
    (r"(?<=..)([bdgmnp])\1$", r"\1"),
)


class Word(NamedTuple):
    """A word of a caption, in lower case as it stands there, in its dictionary form, and its part of speech."""

    surface: str
    base: str
    tag: str


def is_imperative(caption: str) -> bool:
    """Whether the caption reads as an order, as "cut the carrot", whose first word beside openers is the verb."""
    words = [word for word in TOKEN.findall(caption.lower()) if word not in OPENERS and word[0].isalnum()]
    if not words or words[0] in BEGINNINGS or not AUXILIARIES.isdisjoint(words[:3]):
        return False
    return words[0] in BASE_FORM or not NO_BASE_FORM.fullmatch(words[0])


class Tagger:
    """Reads captions with HanTa, whose English model is part of the package."""

    def __init__(self) -> None:
        try:
            from HanTa import HanoverTagger
        except ImportError as error:
            raise ConfigError(
                f"captions that are no imperatives need HanTa: pip install -e '.[tagger]' ({error})"
            ) from error
        self._hanta = HanoverTagger.HanoverTagger(str(pathlib.Path(HanoverTagger.__file__).with_name(MODEL)))

    def verb_and_objects(self, caption: str) -> tuple[str, tuple[str, ...]]:
        """The main verb of a caption in its base form, and the nouns that it acts on, as they stand in the caption.

        Those are the nouns after the verb in its clause, and before them the subject of a passive. A caption that tells
        of no action, as "the cake is on the table", has an empty verb and no objects.
        """
        words = _main_clause(self._read(caption))
        group = _verb_group(words)
        if not group or words[group[-1]].base == "be":
            return "", ()
        subject = words[: group[0]] if _is_passive(words, group) else []
        nouns = _nouns(subject) + _nouns(_clause_after(words, group[-1]))
        return words[group[-1]].base, tuple(dict.fromkeys(nouns))

    def _read(self, caption: str) -> list[Word]:
        tokens = TOKEN.findall(caption.lower())
        if is_imperative(caption):  # HanTa learnt from prose, where few sentences begin with a verb
            return self._tag([*SUBJECT, *tokens])[len(SUBJECT) :]
        return self._tag(tokens)

    def _tag(self, tokens: Sequence[str]) -> list[Word]:
        words = [Word(*word) for word in self._hanta.tag_sent(tokens)]
        for index, word in enumerate(words):
            if _is_mistaken_gerund(words, index):
                words[index] = Word(word.surface, *self._hanta.analyze(word.surface, pos="VVG"))
            elif _is_mistaken_plural(words, index):
                words[index] = Word(word.surface, *self._hanta.analyze(word.surface, pos="VVZ"))
            elif word.tag in ("VVB", "VVI") and index and words[index - 1].tag == "AT0":  # "the ferret", "a sneeze"
                words[index] = Word(word.surface, word.surface, "NN1")
        return [word._replace(base=_base(word.base)) if word.tag.startswith("VV") else word for word in words]


def _base(stem: str) -> str:
    """The dictionary form of a verb that HanTa stripped of its ending and did not know."""
    for ending, right in STEMS:
        stem = re.sub(ending, right, stem)
    return stem


def _main_clause(words: Sequence[Word]) -> Sequence[Word]:
    """The words without a clause before the main one, as "after she is done, she shows a bottle"."""
    comma = next((index for index, word in enumerate(words) if word.surface == ","), None)
    return words[comma + 1 :] if comma and words[0].surface in SUBORDINATORS else words


def _is_mistaken_gerund(words: Sequence[Word], index: int) -> bool:
    """Whether a verb was taken for a noun or an adjective, as in "is grating cheese" or "is surprising the baby"."""
    word, after = words[index], words[index + 1 : index + 2]
    is_adjective = word.tag == "AJ0" and not (after and after[0].tag in DETERMINERS)
    if word.tag not in ("NN1", "AJ0") or is_adjective or not word.surface.endswith("ing"):
        return False
    before = [other for other in words[:index] if other.tag not in BETWEEN]
    return bool(before) and (before[-1].base == "be" or not any(other.tag.startswith("V") for other in words))


def _is_mistaken_plural(words: Sequence[Word], index: int) -> bool:
    """Whether the first verb of a caption was taken for a plural, as in "the man hands the mop to the lady"."""
    before, after = words[:index], words[index + 1 :]
    return (
        words[index].tag == "NN2"
        and bool(before and after)
        and before[-1].tag in ("NN1", "PNP", "PNI")
        and after[0].tag in AFTER_VERBS
        and not any(word.tag.startswith(("V", "PR")) for word in before)
        and not any(FINITE.fullmatch(word.tag) for word in _until(after, ("CJ", "PU")))
    )


def _until(words: Sequence[Word], tags: tuple[str, ...]) -> list[Word]:
    """The words before the first whose tag begins with one of these."""
    return list(itertools.takewhile(lambda word: not word.tag.startswith(tags), words))


def _verb_group(words: Sequence[Word]) -> list[int]:
    """Where the words of the main verb stand, as of "is shown cutting": the last of them tells what is done."""
    verbs = [index for index, word in enumerate(words) if word.tag.startswith("V")]
    finite = [index for index in verbs if _is_finite(words, index)]
    group = (finite or verbs)[:1]
    for following in (index for index in verbs if group and index > group[0]):
        if not _leads_to(words, group[-1], following):
            break
        group.append(following)
    return group


def _is_finite(words: Sequence[Word], index: int) -> bool:
    """Whether a verb can be that of a main clause; an infinitive without any "to" is "cuts" misspelt."""
    before = [word.tag for word in words[:index]]
    return bool(FINITE.fullmatch(words[index].tag)) or (words[index].tag == "VVI" and "TO0" not in before)


def _leads_to(words: Sequence[Word], verb: int, following: int) -> bool:
    """Whether a verb is there for the sake of the next one."""
    if words[verb].tag == "VM0" or words[verb].base == "be":
        return True
    return words[verb].base in LEADING and all(word.tag in BETWEEN for word in words[verb + 1 : following])


def _is_passive(words: Sequence[Word], group: Sequence[int]) -> bool:
    return len(group) > 1 and words[group[-2]].base in ("be", "get") and words[group[-1]].tag in ("VVN", "VDN")


def _clause_after(words: Sequence[Word], verb: int) -> list[Word]:
    """The words up to the next verb or clause; participles as in "a cup of chopped onions" are among them."""
    return _until([word for word in words[verb + 1 :] if word.tag != "VVN"], ("V", *CLAUSE_WORDS))


def _nouns(words: Sequence[Word]) -> list[str]:
    """The nouns, without the owner in "a lady's arm"."""
    owners = {index - 1 for index, word in enumerate(words) if word.tag == "POS"}
    return [word.surface for index, word in enumerate(words) if word.tag in NOUNS and index not in owners]
