"""Reads a state database once from begin to end, so that what is read in random order later is in memory.

The rows of `image` are in the published order, all others in that of the ImageIDs. A walk along these reads a page
of `image` for almost every row: a seek each, if the database was not used for a while.
"""

import os
from contextlib import suppress
from pathlib import Path

_PIECE_BYTES = 1 << 20
_SHARE = 4  # of the memory of the machine


def warm_up(state_db: Path) -> bool:
    """Reads the file, unless it is larger than a quarter of the memory; returns whether it did.

    This process must not have the database open: closing a descriptor of it drops SQLite's locks.
    """
    with suppress(OSError, ValueError):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        with open(state_db, "rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size > memory // _SHARE:
                return False
            piece = bytearray(_PIECE_BYTES)
            while file.readinto(piece):
                pass
        return True
    return False
