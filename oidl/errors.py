"""The errors that stop the program, each with its exit code.

An `OidlError` is raised if the program cannot continue; a problem with one
image is a `model.Failure` instead, and the run continues. Every error has one
sentence for the user and usually a hint that says what to do about it.
"""

import errno
import os
from enum import IntEnum
from pathlib import Path

from oidl.hints import command


class ExitCode(IntEnum):
    """How the process ends; scripts use it to decide whether to run again."""

    SETTLED = 0
    BUG = 1
    USAGE = 2
    UNFINISHED = 3
    METADATA = 4
    DISK = 5
    STATE = 6
    INTERRUPTED = 130


class OidlError(Exception):
    """An error that ends the program, with a message for the user."""

    exit_code = ExitCode.BUG

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UsageError(OidlError):
    """The request cannot be carried out as given; nothing was changed."""

    exit_code = ExitCode.USAGE


class MetadataError(OidlError):
    """An archive or image list could not be fetched, failed verification, or is something else."""

    exit_code = ExitCode.METADATA


class DiskError(OidlError):
    """A file could not be read or written: the disk is full or read-only, or permission is denied."""

    exit_code = ExitCode.DISK


class RemoteError(OidlError):
    """An object store could not be reached, refused a request, or has another object of this name."""

    exit_code = ExitCode.UNFINISHED


class StateError(OidlError):
    """The state database is in use, newer than the program, damaged, or not one of `oidl`."""

    exit_code = ExitCode.STATE


class StoppedError(OidlError):
    """The user stopped the program before it could finish."""

    exit_code = ExitCode.INTERRUPTED


class LoadInProgressError(StateError):
    """The state database cannot be read: an image list is being loaded, or a run was killed while loading one."""


_IN_THE_WAY = "move away {place}, which is in the way, or choose another place"
_LINK = "fix the symbolic link {place}"
_PERMISSIONS = "fix the permissions of {place}, or choose another place"
_UNSUPPORTED = "choose a place on another filesystem: this one does not support the operation"

_ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space, or raise your disk quota",
    errno.EROFS: "mount the filesystem for writing, or choose another place",
    errno.EACCES: _PERMISSIONS,
    errno.EPERM: _PERMISSIONS,
    errno.EEXIST: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.ENOTEMPTY: _IN_THE_WAY,
    errno.ELOOP: f"{_LINK}, which leads back to itself",
    errno.EXDEV: "use a plain directory for {place}, which is on a different filesystem from the directory above it",
    errno.EMFILE: "raise the limit on open files (ulimit -n), or lower --max-total-connections",
    errno.ENFILE: "close other programs, or raise the system's limit on open files (fs.file-max)",
    errno.EIO: "check the disk (dmesg), and run {verify} when the disk is repaired",
    errno.ENAMETOOLONG: "choose a shorter path",
    errno.ENOENT: "check that the directory was not removed or unmounted",
    errno.ESTALE: "mount the network filesystem again",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f), or choose a filesystem that allows larger files",
    errno.EBUSY: "close the program that uses {place}",
    errno.ETXTBSY: "close the program that uses {place}",
    errno.ENOMEM: "free some memory",
    errno.ENOLCK: "choose a filesystem with file locks for the state database (--state-db)",
    errno.EINVAL: "choose another name or place: the filesystem does not allow this one",
    errno.EILSEQ: "choose another name or place: the filesystem does not allow this one",
    errno.EOPNOTSUPP: _UNSUPPORTED,
    errno.ENOSYS: _UNSUPPORTED,
}
"""What to do about an error of the operating system; `{place}` is the path that causes it, `{verify}` a command."""


def disk_error(path: Path, error: OSError, done: str = "written") -> DiskError:
    """The error to raise for `error` at `path`: the system's own description, and advice by its number.

    `done` is what could not be done to `path`: `written`, `read`, `removed`.
    """
    number = error.errno or 0
    place = _cause(path, number)
    advice = _ADVICE.get(number, "check the disk and the permissions").format(place=place, verify=command("verify"))
    if number != errno.ELOOP and os.path.islink(place) and not os.path.exists(place):
        advice = f"{_LINK.format(place=place)}, which leads to {os.readlink(place)}, and that does not exist"
    return DiskError(f"{path} could not be {done}: {error.strerror or error}", hint=f"{advice}; then run it again")


def _cause(path: Path, number: int) -> Path:
    """Which of `path` and its parents causes the error `number`, as far as can be seen."""
    parents = list(reversed(path.parents))
    suspects: list[Path] = []
    if number in (errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY, errno.ENOENT, errno.ELOOP):
        suspects = [place for place in parents if os.path.lexists(place) and not os.path.isdir(place)]
    elif number in (errno.EACCES, errno.EPERM):
        suspects = [place for place in parents if os.path.isdir(place) and not os.access(place, os.X_OK)]
        existing = [place for place in (*parents, path) if os.path.lexists(place)]
        suspects += [place for place in existing[-2:] if not os.access(place, os.W_OK)]
    elif number == errno.EXDEV:
        suspects = [place for place in reversed(parents) if os.path.islink(place) or os.path.ismount(place)]
    return suspects[0] if suspects else path
