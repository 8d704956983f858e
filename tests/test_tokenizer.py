"""Training a WordPiece, opening existing tokenizers, and their special ids."""

import json
import pathlib
import subprocess
import sys

import pytest
import tokenizers
import transformers
from tokenizers import models, pre_tokenizers

from videobert_jax import tokenizer
from videobert_jax.tokens import TokenSpace

SENTENCES = ["Now we cut the apple.", "Then stir the soup slowly!", "we are cutting, stirring and grating"] * 5
BERT = ["[PAD]", "[unused0]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cut", "##s", "a"]


def test_special_tokens_come_first_and_words_follow() -> None:
    trained = tokenizer.train(SENTENCES, 4096)
    space = trained.token_space(visual_size=7)
    assert (space.pad, space.unknown, space.cls, space.sep, space.mask, space.joiner) == (0, 1, 2, 3, 4, 5)
    assert (space.text_size, space.visual_size) == (trained.size, 7)
    assert trained.encode("CUT the [MASK]") == [trained.id_of("cut"), trained.id_of("the"), space.mask]
    assert trained.decode(trained.encode("Stir the [MASK] [>]")) == "stir the [MASK] [>]"
    assert trained.id_of("unheard") is None
    assert trained.id_of("ß") is None


def test_size_is_a_limit() -> None:
    small = tokenizer.train(SENTENCES, 70)
    assert small.size == 70 < tokenizer.train(SENTENCES, 4096).size
    assert small.decode(small.encode("grating")) == "grating"
    assert any(len(small.encode(word)) > 1 for word in SENTENCES[1].split())


def test_training_does_not_depend_on_the_process(tmp_path: pathlib.Path) -> None:
    """The trainer's hash maps are seeded anew in every process; ids must not depend on them."""
    program = (
        "import sys, pathlib, random\n"
        "from videobert_jax import tokenizer\n"
        "rng = random.Random(0)\n"
        "words = [''.join(rng.choices('abcdefghijkl', k=rng.randint(2, 9))) for _ in range(800)]\n"
        "sentences = [' '.join(rng.choices(words, k=9)) for _ in range(900)]\n"
        "tokenizer.train(sentences, 700).save(pathlib.Path(sys.argv[1]))\n"
    )
    folders = [tmp_path / str(run) for run in range(3)]
    for run in [subprocess.Popen([sys.executable, "-c", program, str(folder)]) for folder in folders]:
        assert run.wait() == 0
    assert len({(folder / "tokenizer.json").read_bytes() for folder in folders}) == 1


def test_saved_folder_opens_here_and_in_transformers(tmp_path: pathlib.Path) -> None:
    trained = tokenizer.train(SENTENCES, 4096)
    trained.save(tmp_path)
    text = "Now we grate the [MASK], slowly"
    opened = tokenizer.load(tmp_path)
    assert opened.encode(text) == trained.encode(text)
    assert opened.token_space(3) == trained.token_space(3)

    theirs = transformers.AutoTokenizer.from_pretrained(str(tmp_path))
    assert theirs(text)["input_ids"] == [2, *trained.encode(text), 3]
    assert (theirs.pad_token_id, theirs.mask_token_id) == (0, 4)


def test_a_folder_with_only_a_vocabulary(tmp_path: pathlib.Path) -> None:
    (tmp_path / "vocab.txt").write_text("\n".join(BERT) + "\n")
    opened = tokenizer.load(tmp_path)
    assert opened.encode("Cuts the [MASK] x") == [8, 9, 7, 6, 3]
    assert opened.token_space(5) == TokenSpace(
        text_size=11, visual_size=5, pad=0, unknown=3, cls=4, sep=5, mask=6, joiner=1, unused=(2,), continuing=(9,)
    )
    opened.save(tmp_path / "again")
    assert tokenizer.load(tmp_path / "again").token_space(5) == opened.token_space(5)


def other_folder(folder: pathlib.Path, words: list[str], settings: dict[str, object]) -> pathlib.Path:
    """A tokenizer with other names for the special roles, padding and truncation."""
    model = models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>")
    other = tokenizers.Tokenizer(model)
    other.pre_tokenizer = pre_tokenizers.Whitespace()
    other.enable_padding(length=8)
    other.enable_truncation(3)
    other.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def test_other_names_of_the_special_tokens(tmp_path: pathlib.Path) -> None:
    words = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "cut", "the", "apple"]
    roles = {"cls_token": "<s>", "pad_token": "<pad>", "sep_token": "</s>", "unk_token": "<unk>"}
    opened = tokenizer.load(other_folder(tmp_path, words, {**roles, "mask_token": {"content": "<mask>"}}))
    assert opened.encode("cut the apple cut the apple") == [5, 6, 7, 5, 6, 7]
    space = opened.token_space(2)
    assert (space.cls, space.pad, space.sep, space.unknown, space.mask, space.joiner) == (0, 1, 2, 3, 4, 8)
    assert space.text_size == 9


def test_unusable_tokenizers_say_why(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError, match="no tokenizer folder"):
        tokenizer.load(tmp_path / "none")
    with pytest.raises(ValueError, match="no tokenizer that transformers can open"):
        tokenizer.load(tmp_path)
    with pytest.raises(ValueError, match=r"no token '\[MASK\]'"):
        tokenizer.load(other_folder(tmp_path, ["<unk>", "[PAD]", "[UNK]", "[CLS]", "[SEP]", "cut"], {}))
