"""Start and end of the programs in `launch/`: a validated config, and one message for any error."""

import os
import re
import sys
from collections.abc import Callable

from absl import app, flags
from ml_collections import ConfigDict

from videobert_jax import config as config_lib
from videobert_jax.config import Config, check
from videobert_jax.errors import ConfigError, UserError

WRONG = 2  # by convention, incorrect usage: the same command would fail again
INTERRUPTED = 130  # 128 + SIGINT, as in shells


def run(main: Callable[[list[str]], None]) -> None:
    """Parses the command line and calls `main` with the program's name.

    An invalid command line or config, or one that names what does not exist, ends the program with its message and exit
    code 2; any other error that the user can fix (a video, a full disk, a loss that is not finite) with its message and
    1; SIGINT with a line and 130.
    Any other exception is a bug and keeps its traceback.
    """
    try:
        app.run(main, flags_parser=_parse)
    except ConfigError as error:
        print(f"{sys.argv[0]}: {error}", file=sys.stderr)
        sys.exit(WRONG)
    except (UserError, OSError, FloatingPointError) as error:
        sys.exit(f"{sys.argv[0]}: {error}")
    except KeyboardInterrupt:
        print("\nstopped; run the same command to resume", file=sys.stderr, flush=True)
        sys.stdout.flush()
        os._exit(INTERRUPTED)  # everything is closed by now, and XLA can crash the interpreter's normal exit


def config_of(flag: flags.FlagHolder[ConfigDict]) -> Config:
    """Returns the config that a flag names, validated. Raises ConfigError."""
    try:
        config = config_lib.from_config_dict(flag.value)
    except OSError as error:  # raised by ml_collections at the first use of the value
        raise _unreadable(error) from error
    check(config)
    return config


def _parse(argv: list[str]) -> list[str]:
    try:
        program, *rest = flags.FLAGS(argv)
    except OSError as error:  # raised for a config file that cannot be read, if a value of it is overridden
        raise _unreadable(error) from error
    except (AttributeError, KeyError):  # raised by ml_collections for an unknown key, or by the config file itself
        for argument in argv[1:]:
            if override := re.match(r"--?(?:no)?config\.([^=]*)", argument):
                config_lib.require_key(override[1])
        raise
    except (ValueError, flags.Error) as error:  # a file in configs/ raises ValueError for an invalid argument
        raise ConfigError(_in_one_line(str(error))) from error
    if rest:
        raise ConfigError(f"unexpected arguments {rest}; overrides are written --config.key=value")
    return [program]


def _unreadable(error: OSError) -> ConfigError:
    """The error of a config file that ml_collections could not read, whose reason stands at the end of its message."""
    reason = re.sub(r".*(failure to load:|\[Errno \d+\]) ", "", str(error).splitlines()[-1]).strip()
    return ConfigError(f"--config cannot be read: {reason}; expected a file such as configs/base.py")


def _in_one_line(message: str) -> str:
    """A message of absl or ml_collections, in plain words and without the traceback that the latter puts into it."""
    if missing := re.match(r"flag --(\w+)=None: .* other than None", message):
        return f"--{missing[1]} is missing: {flags.FLAGS[missing[1]].help}"
    last = message.strip().splitlines()[-1]
    if "Traceback (most recent call last)" in message and last.startswith("ValueError: "):  # another is a fault
        return f"{message.partition(': ')[0]}: {last.removeprefix('ValueError: ')}"
    return message
