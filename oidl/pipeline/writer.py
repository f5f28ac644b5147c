"""The only writing connection to the state database, and the thread that uses it."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

import trio

from oidl.errors import StoppedError
from oidl.node.stop import Stop
from oidl.state.connection import StateConnection, interruptible
from oidl.state.ledger import Ledger
from oidl.state.lock import write_lock_holder
from oidl.state.translate import translating_sqlite_errors

_PATIENCE_S = 3.0
_NEXT_MESSAGE_S = 60.0

T = TypeVar("T")


class StateWriter:
    """Runs one function at a time on the writing connection, in a thread.

    With a `stop`, it waits for a write lock of another program until the second request to stop; after `patience_s`,
    `say` reports once a minute which program holds it.
    """

    def __init__(
        self,
        db: StateConnection,
        stop: Stop | None = None,
        say: Callable[[str], None] = print,
        *,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self.db = db
        self.ledger = Ledger(db)
        self._one_at_a_time = trio.CapacityLimiter(1)
        self._stop = stop
        self._say = say
        self._patience_s = patience_s
        self._message_at_s = 0.0
        if stop:
            db.while_busy = self._while_busy

    async def run(self, work: Callable[..., T], *args: object) -> T:
        """The result of `work(*args)`, which runs in a thread, alone on the connection.

        Cancelling this interrupts SQLite and rolls back the transaction. Raises `StateError` or `DiskError` for errors
        of SQLite.
        """
        return await trio.to_thread.run_sync(partial(self._translated, work, *args), limiter=self._one_at_a_time)

    def _translated(self, work: Callable[..., T], *args: object) -> T:
        with translating_sqlite_errors(self.db.path), interruptible(self.db, trio.from_thread.check_cancelled):
            return work(*args)

    def _while_busy(self, waited_s: float) -> None:
        """Called in the thread, a few times a second while another program holds the lock."""
        if self._stop and self._stop.cancelling.is_set():
            raise StoppedError(
                f"stopped while {self._holder()} held a write lock on the state database",
                hint="run again to fetch the images that were not recorded yet",
            )
        trio.from_thread.check_cancelled()
        if waited_s < self._patience_s:
            self._message_at_s = 0.0
        elif not self._message_at_s or waited_s >= self._message_at_s + _NEXT_MESSAGE_S:
            self._message_at_s = waited_s
            with suppress(trio.RunFinishedError):
                trio.from_thread.run_sync(
                    self._say, f"waiting for {self._holder()}, which holds a write lock on the state database"
                )

    def _holder(self) -> str:
        return write_lock_holder(self.db.path) or "another program"
