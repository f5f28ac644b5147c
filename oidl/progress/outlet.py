"""Output that breaks nothing: what cannot be written is dropped and reported once, and the work continues.

A reader may go away, a disk may be full, a stream may have been closed before
the program began, and a pipe may have no reader at all. None of this is a reason
to stop, and none of it changes an exit code. The one rule: writing here never
raises, and through an `Outlet` it never waits either.
"""

import io
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidl.text import counted

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


@dataclass(frozen=True, slots=True)
class Patience:
    """What is done for a reader that takes nothing: up to `texts` texts are kept, about a megabyte of log.

    At the end it is waited for until it has taken nothing for `total_s`, but at least `last_s`.
    """

    texts: int = 10_000
    total_s: float = 2.0
    last_s: float = 0.5


_PATIENCE = Patience()


class UnbreakableFile(io.RawIOBase):
    """Writes bytes to the open file `fd`, unbuffered; after the first error it drops them.

    `complain` is called once, with the error. The descriptor stays open when this is closed.
    """

    def __init__(self, fd: int, complain: Callable[[OSError], None]) -> None:
        super().__init__()
        self._fd = fd
        self._complain = complain
        self.is_lost = False

    def writable(self) -> bool:
        """True: it takes everything."""
        return True

    def fileno(self) -> int:
        """The descriptor."""
        return self._fd

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._fd)

    def write(self, data: "ReadableBuffer") -> int:
        """Writes all of `data`, or drops it; returns its length."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        while rest and not self.is_lost:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:  # another program made the file non-blocking
                select.select([], [self._fd], [])
            except OSError as error:
                self.is_lost = True
                self._complain(error)
        return size


class Outlet(io.TextIOBase):
    """A text stream into the open file `fd` that never makes its writer wait: a thread passes the text on.

    If the reader takes nothing and there is no room left, texts are dropped; a note in their place counts them.
    """

    def __init__(
        self,
        fd: int,
        encoding: str,
        complain: Callable[[OSError], None],
        *,
        patience: Patience = _PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._file = UnbreakableFile(fd, complain)
        self._encoding = encoding
        self._texts: deque[bytes] = deque()
        self._dropped = 0
        self._patience = patience
        self._clock = clock
        self._passing_since = clock()  # the text that is passed on now, or was last
        self._is_over = False
        self._changed = threading.Condition()
        # A daemon thread, and os.write() without a lock: if it is stuck in a pipe, the process can still end.
        self._thread = threading.Thread(target=self._pass_on, name="outlet", daemon=True)
        self._thread.start()

    def writable(self) -> bool:
        """True: it takes everything."""
        return True

    def fileno(self) -> int:
        """The descriptor."""
        return self._file.fileno()

    def isatty(self) -> bool:
        """Whether the file is a terminal."""
        return self._file.isatty()

    def write(self, text: str) -> int:
        """Takes `text`, or drops it; returns its length."""
        data = text.encode(self._encoding, "backslashreplace")
        with self._changed:
            if len(self._texts) >= self._patience.texts:
                self._dropped += 1
            elif not self._is_over:
                self._texts.append(data)
                self._changed.notify_all()
        return len(text)

    def close(self) -> None:
        """Waits until the reader has taken everything, unless it takes nothing, perhaps since long ago."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        least = self._clock() + self._patience.last_s
        while self._thread.is_alive() and self._clock() < max(least, self._passing_since + self._patience.total_s):
            self._thread.join(0.02)
        super().close()

    def _pass_on(self) -> None:
        while True:
            with self._changed:
                while not self._texts and not self._is_over:
                    self._changed.wait()
                if not self._texts:
                    return
                data = self._texts.popleft()
                if self._dropped:
                    note = f"({counted(self._dropped, 'line')} dropped here, because nothing read them)\n"
                    self._texts.append(note.encode())
                    self._dropped = 0
            self._passing_since = self._clock()
            self._file.write(data)
