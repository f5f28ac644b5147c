"""What stops the program, and the exit code each of these ends with.

An `OidlError` is raised when going on makes no sense; what goes wrong with one
image is a `model.Failure` instead, and the run goes on. Every error carries one
sentence for people and, where there is one, a hint at what to do about it.
"""

import errno
import os
from enum import IntEnum
from pathlib import Path

from oidl.hints import command


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


class StoppedError(OidlError):
    """The user stopped the program while it could not finish what it does."""

    exit_code = ExitCode.INTERRUPTED


class LoadInProgressError(StateError):
    """The state database cannot be read: an image list is being loaded, or a run was killed at it."""


_IN_THE_WAY = "move away {place}, which is in the way, or choose another place"
_LINK = "fix the symbolic link {place}"
_PERMISSIONS = "fix the permissions of {place}, or choose another place"
_UNSUPPORTED = "choose a place on another filesystem: this one does not support it"

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
    errno.EXDEV: "use a plain directory for {place}, which is on another filesystem than the directory above it",
    errno.EMFILE: "raise the limit on open files (ulimit -n), or lower --max-total-connections",
    errno.ENFILE: "close other programs, or raise the system's limit on open files (fs.file-max)",
    errno.EIO: "check the disk (dmesg), and run {verify} when it is well",
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
    """What `error`, met at `path`, means: the system's own words for it, and advice that follows from its number.

    `done` is what could not be done to `path`: `written`, `read`, `removed`.
    """
    number = error.errno or 0
    place = _cause(path, number)
    advice = _ADVICE.get(number, "check the disk and the permissions").format(place=place, verify=command("verify"))
    if number != errno.ELOOP and os.path.islink(place) and not os.path.exists(place):
        advice = f"{_LINK.format(place=place)}, which leads to {os.readlink(place)}, where nothing is"
    return DiskError(f"{path} could not be {done}: {error.strerror or error}", hint=f"{advice}; then run it again")


def _cause(path: Path, number: int) -> Path:
    """Which of `path` and its parents is the cause of the error `number`, as far as that can be seen."""
    parents = list(reversed(path.parents))
    found: list[Path] = []
    if number in (errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY, errno.ENOENT, errno.ELOOP):
        found = [place for place in parents if os.path.lexists(place) and not os.path.isdir(place)]
    elif number in (errno.EACCES, errno.EPERM):
        found = [place for place in parents if os.path.isdir(place) and not os.access(place, os.X_OK)]
        existing = [place for place in (*parents, path) if os.path.lexists(place)]
        found += [place for place in existing[-2:] if not os.access(place, os.W_OK)]
    elif number == errno.EXDEV:
        found = [place for place in reversed(parents) if os.path.islink(place) or os.path.ismount(place)]
    return found[0] if found else path
