"""Errors that users can fix; each message states the value, the expectation and what to do next.

`cli.run` prints the message without a traceback. Any other exception is a bug.
"""

import pathlib


class UserError(Exception):
    """Base class of all errors that a user can fix."""


class ConfigError(UserError, ValueError):
    """An invalid config value or command line; the message names the key, the expectation and what to set."""


class MissingError(ConfigError, FileNotFoundError):
    """A file or folder that is named to this package but does not exist; the message says which, and what to name."""


class MissingModuleError(ConfigError):
    """A module that a config names but that cannot be imported; the message says what to install."""


class DamagedError(UserError, ValueError):
    """A file written by this package that can no longer be read; the message names it and says what to remove."""


class RecordError(UserError, ValueError):
    """Stored records that cannot be used; the message names the file and the record."""


class PrepareError(UserError):
    """Nothing can be prepared; the message says why."""


class RoundsError(UserError):
    """A round of preparing stopped; the message says why."""


class FormatError(UserError, ValueError):
    """A file that cannot be used at all; the message names it, the place in it, and what to do."""


class UnknownFormatError(FormatError):
    """An intact file in an unknown format."""

    def __init__(self, path: pathlib.Path, reason: str, key: str = "data.annotations") -> None:
        super().__init__(f"{path} {reason}; name another file with --config.{key}")
        self.reason = reason


class TranscriptError(UserError):
    """A transcript without usable speech; the message says why."""


class SilentError(TranscriptError):
    """An intact transcript in which nothing is said."""


class VideoError(UserError):
    """A video that cannot be used; `reason` says why, without the file's name."""

    def __init__(self, path: pathlib.Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"
