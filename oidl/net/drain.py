"""The end of new requests: what is not sent yet when a run starts draining is given up."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import trio


class Drain:
    """Cancels requests that wait for a permit or a connection; the others may finish."""

    def __init__(self) -> None:
        self.has_begun = False
        self._waiting: set[trio.CancelScope] = set()

    def __len__(self) -> int:
        """The number of requests that wait."""
        return len(self._waiting)

    def begin(self) -> None:
        """Cancels all that waits now, and all that begins to wait later."""
        self.has_begun = True
        for scope in self._waiting:
            scope.cancel()

    @contextmanager
    def unless_begun(self) -> Iterator[Callable[[], None]]:
        """A block that is cancelled when the run starts draining, until the function that it yields is called."""
        with trio.CancelScope() as scope:
            self._waiting.add(scope)
            if self.has_begun:
                scope.cancel()
            try:
                yield partial(self._waiting.discard, scope)
            finally:
                self._waiting.discard(scope)
