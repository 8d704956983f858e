"""Exports a trained model for programs without this package.

    python launch/export.py --workdir=runs/base --output=exported

`exported/bert` is the text side for `transformers`, of a model that predicts words. `exported/inference.jaxexport`,
with `weights.safetensors`, is the forward pass of the whole model for CPU, GPU and TPU. docs/export.md shows how to use
both.
"""

import pathlib
import shutil

from absl import flags, logging

from videobert_jax import cli
from videobert_jax.errors import ConfigError
from videobert_jax.inference import portable
from videobert_jax.inference.model import load
from videobert_jax.interop.bert import save_bert, unlike_bert

# Files of an exported BERT and its tokenizer.
EXPORTED = {"model.safetensors", "video.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"}

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of a run; its newest checkpoint is exported.")
_OUTPUT = flags.DEFINE_string("output", None, "Folder to write to; files of an earlier export are replaced.")


def main(_: list[str]) -> None:
    """Exports the model and prints the names of the files."""
    logging.set_verbosity(logging.WARNING)
    if not _WORKDIR.value or not _OUTPUT.value:
        raise ConfigError("--workdir or --output is empty; expected the name of a folder")
    output = pathlib.Path(_OUTPUT.value)
    if output.exists() and not output.is_dir():
        raise NotADirectoryError(f"--output is {output}, which is a file; expected a folder, or a new name")
    model = load(_WORKDIR.value)
    portable.save(output, model.task.network, model.params)
    model.tokens.save(output / "tokens.json")
    print(f"export: {output / portable.PROGRAM} with {portable.WEIGHTS} for JAX")
    _remove_earlier(output / "bert")
    if "prediction_positions" not in model.task.network.reads:
        print(f"export: nothing for transformers: a model for {model.config.task.name} predicts no words")
        return
    if reason := unlike_bert(model.config.model):
        print(f"export: nothing for transformers, whose BERT differs from this model: {reason}")
        return
    save_bert(output / "bert", model.params, model.config.model, model.tokens)
    shutil.copytree(model.lexicon.tokenizer, output / "bert", dirs_exist_ok=True)
    print(f"export: {output / 'bert'} for transformers")


def _remove_earlier(folder: pathlib.Path) -> None:
    """Removes an earlier export. Raises ConfigError if the folder holds anything else."""
    if not folder.exists():
        return
    if others := sorted({path.name for path in folder.iterdir()} - EXPORTED):
        raise ConfigError(
            f"{folder} holds {', '.join(others)}, which no export wrote; name another folder with --output"
        )
    shutil.rmtree(folder)


if __name__ == "__main__":
    flags.mark_flags_as_required(["workdir", "output"])
    cli.run(main)
