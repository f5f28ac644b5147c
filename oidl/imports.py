"""Imports of hundreds of modules at once, without searching them for garbage.

The garbage collector runs after so many new objects, and looks at all that there are. While a program is imported,
nothing becomes garbage, and these searches are a tenth of the time of `oidl run` with ten images.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """A block that imports; the garbage collector waits, and never looks at what was imported.

    If all modules of the block are known already, this changes nothing.
    """
    was_enabled, known = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > known:
            gc.freeze()
        if was_enabled:
            gc.enable()
