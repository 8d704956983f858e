"""Words to ids: a WordPiece trained on the corpus, or an existing Hugging Face tokenizer.

Either way the result is a folder that `transformers.AutoTokenizer.from_pretrained` opens, and the special ids of a
`TokenSpace`, including VideoBERT's joiner ``[>]``.
"""

import json
import pathlib
import re
from collections.abc import Iterable, Mapping, Sequence

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from videobert_jax.errors import DamagedError, MissingError
from videobert_jax.tokens import TokenSpace

JOINER = "[>]"
ROLES = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}  # BERT's names
UNUSED = re.compile(r"\[unused\d+\]")
BEFORE_MARK = re.compile(r" (?=[.,;:!?])")
CONTRACTED = re.compile(r" ' (?=(?:s|t|m|d|re|ve|ll)\b)")
CONTINUATION = "##"


class TextTokenizer:
    """A tokenizer and the ids of its special tokens."""

    def __init__(self, tokenizer: tokenizers.Tokenizer, roles: Mapping[str, str] = ROLES) -> None:
        """Wraps `tokenizer`; disables its padding and truncation; adds a joiner if it has no ``[>]`` or ``[unused0]``.

        `roles` names the token for each of BERT's special roles.
        """
        tokenizer.no_padding()
        tokenizer.no_truncation()
        vocabulary = tokenizer.get_vocab()
        missing = [token for token in roles.values() if token not in vocabulary]
        if missing:
            raise ValueError(f"the tokenizer has no token {missing[0]!r}; VideoBERT needs {', '.join(roles.values())}")
        unused = sorted(id_ for token, id_ in vocabulary.items() if UNUSED.fullmatch(token))
        if JOINER not in vocabulary and not unused:
            tokenizer.add_special_tokens([JOINER])
            vocabulary = tokenizer.get_vocab()
        self._joiner = vocabulary[JOINER] if JOINER in vocabulary else unused.pop(0)
        self._unused = tuple(unused)
        self._tokenizer = tokenizer
        self._roles = dict(roles)
        self._ids = {role: vocabulary[token] for role, token in roles.items()}

    @property
    def size(self) -> int:
        """Number of text ids, including the special ones."""
        return max(self._tokenizer.get_vocab().values()) + 1

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, without ``[CLS]`` and ``[SEP]`` around it; keeps special tokens in it, such as ``[MASK]``."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, including special tokens, with normal spacing."""
        text = self._tokenizer.decode(list(ids), skip_special_tokens=False)
        return CONTRACTED.sub("'", BEFORE_MARK.sub("", text))

    def name(self, id_: int) -> str:
        """The vocabulary entry of a token, such as "##s"; empty for an id without a token."""
        return self._tokenizer.id_to_token(id_) or ""

    def id_of(self, word: str) -> int | None:
        """The id of `word` if it is a single token, else None."""
        ids = self.encode(word)
        return ids[0] if len(ids) == 1 and ids[0] != self._ids["unk"] else None

    def token_space(self, visual_size: int) -> TokenSpace:
        """The joint vocabulary of this tokenizer and `visual_size` visual words."""
        return TokenSpace(
            text_size=self.size,
            visual_size=visual_size,
            pad=self._ids["pad"],
            unknown=self._ids["unk"],
            cls=self._ids["cls"],
            sep=self._ids["sep"],
            mask=self._ids["mask"],
            joiner=self._joiner,
            unused=self._unused,
            continuing=tuple(id_ for id_ in range(self.size) if self.name(id_).startswith(CONTINUATION)),
        )

    def save(self, folder: pathlib.Path) -> None:
        """Writes a Hugging Face tokenizer folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self._tokenizer.save(str(folder / "tokenizer.json"))
        settings: dict[str, object] = {f"{role}_token": token for role, token in self._roles.items()}
        settings["tokenizer_class"] = "PreTrainedTokenizerFast"
        settings["clean_up_tokenization_spaces"] = False
        (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")


def train(sentences: Iterable[str], size: int) -> TextTokenizer:
    """Trains a lower-casing WordPiece of at most `size` tokens; the same sentences give the same ids.

    The special tokens get ids 0 to 5: those of `ROLES` in order, then the joiner.
    """
    learner = _word_piece()
    sentences = list(sentences)
    specials = [*ROLES.values(), JOINER]
    # The trainer numbers the letters inside words in the order of a randomly seeded hash map and breaks ties between
    # merges by these numbers. Listing them as special tokens, which come first, fixes their order.
    reserved = specials + _continuations(learner, sentences)
    trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=reserved, show_progress=False)
    learner.train_from_iterator(sentences, trainer)
    learnt = _word_piece(learner.get_vocab())
    learnt.add_special_tokens(specials)
    learnt.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, specials.index(token)) for token in ("[CLS]", "[SEP]")],
    )
    return TextTokenizer(learnt)


def _word_piece(vocabulary: dict[str, int] | None = None) -> tokenizers.Tokenizer:
    model = models.WordPiece(vocabulary or {}, unk_token=ROLES["unk"], continuing_subword_prefix=CONTINUATION)
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix=CONTINUATION, cleanup=False)
    return tokenizer


def _continuations(tokenizer: tokenizers.Tokenizer, sentences: Iterable[str]) -> list[str]:
    """Returns ``##x`` for each character x that occurs inside a word."""
    characters: set[str] = set()
    for sentence in sentences:
        normalized = tokenizer.normalizer.normalize_str(sentence)
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normalized):
            characters.update(word[1:])
    return [CONTINUATION + character for character in sorted(characters)]


def load(folder: pathlib.Path) -> TextTokenizer:
    """Opens a Hugging Face tokenizer folder: `tokenizer.json`, or what `transformers` reads, as a lone `vocab.txt`.

    Raises MissingError if there is no such folder, DamagedError or another ValueError if it holds no tokenizer
    with BERT's special roles.
    """
    if not folder.is_dir():
        raise MissingError(f"there is no tokenizer folder {folder}; name one with --config.prepare.tokenizer")
    if not (folder / "tokenizer.json").exists():
        return _load_with_transformers(folder)
    try:  # without transformers, whose import takes seconds
        opened, roles = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")), _roles(folder)
    except Exception as error:  # tokenizers raises no less
        raise DamagedError(f"the tokenizer in {folder} is damaged ({error}); restore it from a copy") from error
    return TextTokenizer(opened, roles)


def _load_with_transformers(folder: pathlib.Path) -> TextTokenizer:
    import transformers

    configured = any((folder / name).exists() for name in ("tokenizer_config.json", "config.json"))
    reader = transformers.AutoTokenizer if configured else transformers.BertTokenizer
    try:
        tokenizer = reader.from_pretrained(str(folder))
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder} holds no tokenizer that transformers can open: {error}") from error
    if len(tokenizer) <= len(ROLES):  # transformers accepts a folder without a vocabulary
        raise ValueError(f"{folder} holds no tokenizer that transformers can open: found no words")
    roles = {role: getattr(tokenizer, f"{role}_token") or name for role, name in ROLES.items()}
    return TextTokenizer(tokenizer.backend_tokenizer, roles)


def _roles(folder: pathlib.Path) -> dict[str, str]:
    """The special tokens named by the folder's settings; BERT's by default."""
    named: dict[str, str | dict[str, str]] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if (folder / name).exists():
            named |= {key: token for key, token in json.loads((folder / name).read_text()).items() if token}
    tokens = {role: named.get(f"{role}_token", default) for role, default in ROLES.items()}
    return {role: token if isinstance(token, str) else token["content"] for role, token in tokens.items()}
