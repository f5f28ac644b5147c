"""The process around the command line: it ends when it should, even if threads or streams are stuck.

After a second Ctrl-C, five seconds are enough to commit what is complete. Then a thread ends the process, because the
event loop may be stuck in a write to a stopped terminal, or SQLite in a slow disk.
"""

import _thread
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from oidl.cli.app import main as run_command
from oidl.errors import ExitCode

_GRACE_S = 5.0

_is_ours = False
_is_ending = False


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line `arguments` (default: the process's) and returns the exit code."""
    if arguments is not None:
        return run_command(arguments)
    global _is_ours
    _is_ours = True
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # or numpy starts threads, which wait busily for work
    code: int = ExitCode.INTERRUPTED
    with suppress(KeyboardInterrupt):  # one more, while the first was answered
        code = run_command(None)
    # Nothing is left to interrupt but Python's own end, which would answer with a traceback.
    signal.signal(signal.SIGINT, lambda *_: os._exit(ExitCode.INTERRUPTED))
    if _has_stuck_threads():
        _flush()
        os._exit(code)  # Python would tear down what these threads still use
    return code


def has_own_process() -> bool:
    """Whether this process is the command line's, and not another program's that calls `main`."""
    return _is_ours


def end_soon() -> None:
    """Ends the process in five seconds if it has not ended by then. May be called in a signal handler."""
    global _is_ending
    if _is_ours and not _is_ending:
        _is_ending = True
        # Not `threading.Thread`: its locks may be held by what the signal interrupted.
        _thread.start_new_thread(_end, ())


def _end() -> None:
    time.sleep(_GRACE_S)
    if terminal := sys.modules.get("oidl.progress.terminal"):
        with suppress(Exception):
            terminal.leave_all()
    os._exit(ExitCode.INTERRUPTED)


def _has_stuck_threads() -> bool:
    threads = sys.modules.get("oidl.node.threads")  # not there if no command needed it
    return threads is not None and bool(threads.are_left_behind())


def _flush() -> None:
    end_soon()  # they may be stuck too
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
