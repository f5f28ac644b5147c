"""What is still done when a signal ends the process that nothing waits for, such as a hang-up or `kill -QUIT`."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# Those that end a process and let it run until then; SIGINT and SIGTERM have a meaning of their own.
_DEADLY = tuple(
    getattr(signal, name)
    for name in ("SIGHUP", "SIGQUIT", "SIGABRT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGXCPU")
    if hasattr(signal, name)
)


@contextmanager
def before_death(last: Callable[[], None]) -> Iterator[None]:
    """Inside, a deadly signal calls `last` first; the process then dies of it as it would have.

    A signal that is ignored (`nohup`) or has a handler already is left alone.
    """

    def die(number: int, frame: FrameType | None) -> None:
        last()
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)

    taken: list[int] = []
    if threading.current_thread() is threading.main_thread():  # the only one that Python lets take signals
        taken = [number for number in _DEADLY if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, die)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
