"""How a run is asked to stop: first to drain, then to let go of everything."""

import trio

from oidl.model import Failure


class Stop:
    """Asked once, the run feeds nothing new and finishes what is in hand; asked twice, it is cancelled."""

    def __init__(self) -> None:
        self.draining = trio.Event()
        self.cancelling = trio.Event()
        self.is_interrupted = False
        self.disk_failure: Failure | None = None
        self.limit: str | None = None
        self.bug: str | None = None

    def interrupt(self) -> None:
        """The user asks (Ctrl-C, SIGTERM)."""
        self.is_interrupted = True
        (self.cancelling if self.draining.is_set() else self.draining).set()

    def disk_is_full(self, failure: Failure) -> None:
        """A file could not be written: going on would only fail more images."""
        self.disk_failure = self.disk_failure or failure
        self.draining.set()

    def bug_found(self, bug: str) -> None:
        """Images fail because of a bug in oidl, and nothing else happens; `bug` says so."""
        self.bug = self.bug or bug
        self.draining.set()

    def limit_reached(self, limit: str) -> None:
        """A limit that was set for the run is reached; `limit` says which."""
        self.limit = self.limit or limit
        self.draining.set()
