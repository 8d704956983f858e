"""Takes a trained model out of a run, for programs without this package.

    python launch/export.py --workdir=runs/base --output=exported

`exported/bert` is the text side, which `transformers` loads; `exported/inference.jaxexport` the forward pass of the
whole model, for CPU, GPU and TPU, with `weights.safetensors` beside it. docs/export.md shows how to use both.
"""

import pathlib
import shutil

from absl import flags, logging

from videobert_jax import cli
from videobert_jax import config as config_lib
from videobert_jax.config import check
from videobert_jax.errors import ConfigError
from videobert_jax.evaluation import final
from videobert_jax.inference import portable
from videobert_jax.interop.bert import save_bert, unlike_bert
from videobert_jax.model.videobert import VideoBert
from videobert_jax.training.workdir import Workdir

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of a run, whose newest checkpoint is taken.")
_OUTPUT = flags.DEFINE_string("output", None, "Folder to write to; files of an earlier export are replaced.")


def main(_: list[str]) -> None:
    """Says what it wrote. Raises on the first thing that is wrong, and so ends non-zero."""
    logging.set_verbosity(logging.WARNING)
    if not _WORKDIR.value or not _OUTPUT.value:
        raise ConfigError("--workdir and --output need the names of folders")
    workdir, output = Workdir(pathlib.Path(_WORKDIR.value)), pathlib.Path(_OUTPUT.value)
    for file in (workdir.config_file, workdir.tokens_file):
        if not file.exists():
            raise FileNotFoundError(f"{workdir.folder} is not the folder of a run: it has no {file.name}")
    if output.exists() and not output.is_dir():
        raise NotADirectoryError(f"--output is {output}, which is a file; expected a folder, or a name for one")
    config = config_lib.load(workdir.config_file)
    check(config)
    tokens = workdir.tokens()
    params = final.load_params(config, workdir)
    portable.save(output, VideoBert(config.model, tokens), params)
    tokens.save(output / "tokens.json")
    print(f"export: {output / portable.PROGRAM} with {portable.WEIGHTS} for JAX")
    shutil.rmtree(output / "bert", ignore_errors=True)
    if reason := unlike_bert(config.model):
        print(f"export: nothing for transformers, whose BERT is another model: {reason}")
        return
    save_bert(output / "bert", params, config.model, tokens)
    shutil.copytree(workdir.tokenizer, output / "bert", dirs_exist_ok=True)
    print(f"export: {output / 'bert'} for transformers")


if __name__ == "__main__":
    flags.mark_flags_as_required(["workdir", "output"])
    cli.run(main)
