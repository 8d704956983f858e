"""How a program of `launch/` begins and ends: with a config that can be, and with one message for what went wrong."""

import os
import re
import sys
from collections.abc import Callable

from absl import app, flags
from ml_collections import ConfigDict

from videobert_jax import config as config_lib
from videobert_jax.config import Config, check
from videobert_jax.errors import ConfigError, UserError

WRONG = 2  # as for other programs: the same command can but fail again
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def run(main: Callable[[list[str]], None]) -> None:
    """Parses the command line and calls `main` with the program's name.

    A command line or a config that cannot be ends the program with its message and exit code 2; what else the user can
    mend (a video, a folder, the disk, a loss that is not finite), with its message and 1; SIGINT with a line and 130.
    All else is a fault of the program and keeps its traceback.
    """
    try:
        app.run(main, flags_parser=_parse)
    except ConfigError as error:
        print(f"{sys.argv[0]}: {error}", file=sys.stderr)
        sys.exit(WRONG)
    except (UserError, OSError, FloatingPointError) as error:
        sys.exit(f"{sys.argv[0]}: {error}")
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on", file=sys.stderr, flush=True)
        sys.stdout.flush()
        os._exit(INTERRUPTED)  # all is closed by now, and the interpreter's own end can crash in what XLA has left


def config_of(flag: flags.FlagHolder[ConfigDict]) -> Config:
    """The config that a flag names, all values checked. Raises ConfigError, or OSError if there is no such file."""
    config = config_lib.from_config_dict(flag.value)
    check(config)
    return config


def _parse(argv: list[str]) -> list[str]:
    """Parses the flags."""
    try:
        program, *rest = flags.FLAGS(argv)
    except (AttributeError, KeyError):  # of ml_collections, for an unknown key; or of the config file itself
        for argument in argv[1:]:
            if override := re.match(r"--?(?:no)?config\.([^=]*)", argument):
                config_lib.require_key(override[1])
        raise
    except (ValueError, flags.Error) as error:  # the first of a file of configs/, about its argument
        raise ConfigError(str(error)) from error
    if rest:
        raise ConfigError(f"unexpected arguments {rest}; overrides are written --config.key=value")
    return [program]
