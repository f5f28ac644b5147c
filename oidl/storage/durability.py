"""What survives a power cut: makes the kernel write files to their disks, and identifies a boot of the machine."""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from oidl.storage.space import filesystems

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def sync_filesystems(directories: Iterable[Path]) -> None:
    """Returns when all that was written so far to the filesystems of `directories` is on disk, names included.

    This takes as long as the disks need. Raises `OSError` if a filesystem lost something.
    """
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:  # not Linux
        os.sync()
        return
    for directory in filesystems(directories).values():
        fd = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if syncfs(fd) != 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), str(directory))
        finally:
            os.close(fd)


def boot_id() -> str:
    """The ID of this boot of this machine; empty if the system does not say."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


def is_alive(process: int) -> bool:
    """Whether `process` is the ID of another process that is alive."""
    try:
        os.kill(process, 0)
    except OverflowError:
        return False
    except OSError as error:
        return isinstance(error, PermissionError)
    return process != os.getpid()
