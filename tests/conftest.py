"""Settings that every test runs under."""

import os
import pathlib

# Before jax is imported anywhere: no accelerator is looked for, and a broadcast between ranks is an error.
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
# Programs that tests start find what lies in this folder.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(pathlib.Path(__file__).parent), os.getenv("PYTHONPATH"))))

import pytest
from absl import flags


@pytest.fixture(autouse=True, scope="session")
def _parsed_flags() -> None:
    """Grain reads absl flags, which only a program's `app.run` parses."""
    flags.FLAGS.mark_as_parsed()
