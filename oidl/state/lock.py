"""The writer lock: one `oidl run` at a time for one state database.

An `fcntl` lock on a file beside the database, so it dies with its process,
however that ends. The file says who holds it; it stays when the lock is gone,
for removing it would race with the next holder.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from oidl.errors import DiskError, StateError

_TRIES = 5  # `is_held` takes the lock for an instant, to see if it is free


@contextmanager
def writer_lock(state_db: Path) -> Iterator[None]:
    """Holds the writer lock of `state_db`; raises `StateError`, naming the holder, if it is taken."""
    path = _lock_path(state_db)
    try:
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115 - closed below, which frees the lock
    except OSError as error:
        raise DiskError(
            f"{path} cannot be written: {error.strerror}",
            hint="name a --root-dir or --state-db you can write",
        ) from error
    with file:
        for tries_left in reversed(range(_TRIES)):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not tries_left:
                    raise StateError(
                        f"the state database {state_db} is in use by {_holder(path)}",
                        hint="wait for it to end or stop it; `oidl status` works meanwhile",
                    ) from None
                time.sleep(0.02)
        file.truncate(0)
        json.dump({"pid": os.getpid(), "host": socket.gethostname()}, file)
        file.flush()
        yield


def is_held(state_db: Path) -> bool:
    """Whether a run is writing `state_db` right now."""
    with suppress(OSError), open(_lock_path(state_db), encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _lock_path(state_db: Path) -> Path:
    return state_db.with_name(state_db.name + ".lock")


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text("utf-8"))
        return f"process {holder['pid']} on {holder['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
