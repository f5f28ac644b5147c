"""What a power cut leaves: has the kernel put files on their disks, and tells one boot of the machine from another."""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from oidl.storage.space import filesystems

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def sync_filesystems(directories: Iterable[Path]) -> None:
    """Returns when all that was written to the filesystems of `directories` so far is on their disks, names included.

    Takes as long as the disks do. Raises `OSError` if a filesystem lost something.
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
    """What tells this boot of this machine from any other; empty if the system does not say."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


def is_alive(process: int) -> bool:
    """Whether a process with this number is alive, and not this one."""
    try:
        os.kill(process, 0)
    except OverflowError:
        return False
    except OSError as error:
        return isinstance(error, PermissionError)
    return process != os.getpid()
