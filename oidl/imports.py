"""Imports of hundreds of modules at once, without searching them for garbage.

The garbage collector runs whenever there are many new objects, and now and then it looks at all objects. While a
program is imported, hardly anything becomes garbage, and these searches take a tenth of an `oidl run` with ten images.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing(*, has_own_process: bool) -> Iterator[None]:
    """A block that imports. The garbage collector waits until its end, and never looks at what there is by then.

    In the process of another program this changes nothing: what it later drops would otherwise stay for ever.
    """
    if not has_own_process:
        yield
        return
    try:
        gc.disable()
        yield
    finally:
        gc.enable()  # first, because Ctrl-C may come between the two
        gc.freeze()
