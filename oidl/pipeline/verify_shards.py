"""Checks whole shards against their rows; runs in a thread, without the database.

The images in a shard are checked one by one like files. But an image may decode although some of its bytes changed, and
what is between the images is part of a shard too: its SHA-256 covers everything.
"""

import hashlib
import os
import stat

from oidl.model import Finding, Problem
from oidl.settings import Layout
from oidl.state.verify_shards import SealedShard
from oidl.storage.layout import actual_path
from oidl.storage.ownership import OwnFiles
from oidl.storage.shards.place import open_shard


def check_shard(layout: Layout, own: OwnFiles, shard: SealedShard) -> Finding | None:
    """Compares a complete shard with its row: existence, length and SHA-256.

    A shard of a run is only read if it is `own`; otherwise its images are found to be misplaced. One of `oidl pack` is
    skipped if its directory is not there.
    """
    path = actual_path(layout, shard.path)
    if shard.writer == "run" and not own.has_shard(shard.rendition, shard.path):
        return None
    modified_s = 0.0
    wrong = Problem.WRONG_SHARD if shard.writer == "run" else Problem.WRONG_PACK

    def finding(detail: str, fault: Problem = wrong) -> Finding:
        return Finding(fault, shard.path, None, shard.rendition, detail, modified_s)

    try:
        with open_shard(path) as file:
            status = os.fstat(file.fileno())
            modified_s = status.st_mtime
            if not stat.S_ISREG(status.st_mode):
                return finding("not a regular file", Problem.UNREADABLE)
            if status.st_size != shard.bytes:
                return finding(f"{status.st_size} bytes, recorded {shard.bytes}")
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return None if digest == shard.sha256 else finding(f"SHA-256 {digest}, recorded {shard.sha256}")
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a zero byte in a path
        is_elsewhere = shard.writer == "pack" and not path.parent.is_dir()
        return None if is_elsewhere else finding("it does not exist")
    except OSError as error:
        return finding(error.strerror or str(error), Problem.UNREADABLE)
