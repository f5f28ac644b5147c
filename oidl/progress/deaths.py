"""Last actions before an unexpected signal ends the process, such as a hang-up or `kill -QUIT`."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# Signals that end a process but can be caught; SIGINT and SIGTERM are handled elsewhere.
_DEADLY = tuple(
    getattr(signal, name)
    for name in ("SIGHUP", "SIGQUIT", "SIGABRT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGXCPU")
    if hasattr(signal, name)
)


@contextmanager
def before_death(last: Callable[[], None]) -> Iterator[None]:
    """Inside this context, a deadly signal calls `last` first; then the process dies of it as usual.

    A signal that is ignored (`nohup`) or already has a handler is left alone.
    """

    def die(number: int, frame: FrameType | None) -> None:
        last()
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)

    handled: list[int] = []
    if threading.current_thread() is threading.main_thread():  # Python allows signal handlers in no other
        handled = [number for number in _DEADLY if signal.getsignal(number) is signal.SIG_DFL]
    for number in handled:
        signal.signal(number, die)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)
