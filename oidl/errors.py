"""What stops the program, and the exit code each of these ends with.

An `OidlError` is raised when going on makes no sense; what goes wrong with one
image is a `model.Failure` instead, and the run goes on. Every error carries one
sentence for people and, where there is one, a hint at what to do about it.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """How the process ends; scripts decide by these whether to run it again."""

    SETTLED = 0
    BUG = 1
    USAGE = 2
    UNFINISHED = 3
    METADATA = 4
    DISK = 5
    STATE = 6
    INTERRUPTED = 130


class OidlError(Exception):
    """Something that ends the program, in words for the person who started it."""

    exit_code = ExitCode.BUG

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UsageError(OidlError):
    """What was asked for cannot be done as asked; nothing was changed."""

    exit_code = ExitCode.USAGE


class MetadataError(OidlError):
    """An archive or image list could not be had, did not verify, or is not one."""

    exit_code = ExitCode.METADATA


class DiskError(OidlError):
    """A file could not be written: the disk is full, read-only or forbidden."""

    exit_code = ExitCode.DISK


class StateError(OidlError):
    """The state database is in use, newer than the program, damaged or another's."""

    exit_code = ExitCode.STATE


class HalfLoadedError(StateError):
    """The state database cannot be read: an image list is being loaded, or a run was killed at it."""
