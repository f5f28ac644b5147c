"""Starts the process of a worker, exchanges values with it, and says how it ended."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import trio

from oidl.errors import OidlError
from oidl.node.frames import Frames, Reply
from oidl.text import printable, shortened

COMMAND = (sys.executable, "-P", "-m", "oidl.node.child")
# glibc then returns large pieces at once, and keeps the rest for the next image.
_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(4 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(16 * 2**20),
}
_SILENCE_S = 60.0  # after this long without a report, a process hangs
_START_S = 300.0  # the same before its first one
_LOOK_S = 5.0
_FRAME = " +-|"  # around the lines of an exception group
_STDERR_BYTES = 4000  # the last ones are kept
_STDERR_S = 1.0  # the longest wait for them after the end


@dataclass(frozen=True, slots=True)
class Death:
    """How a process ended: `text` is for a message that begins "a worker process", like "was killed (SIGSEGV)".

    `was_killed` means by another process, or by the system for lack of memory. `printed` is the end of its stderr.
    """

    text: str
    was_killed: bool
    printed: str


@dataclass(slots=True)
class Silence:
    """How long a process may still be silent; `too_long` is cancelled when that time is over.

    It is counted in pieces, so that a coordinator that was itself stopped for an hour (Ctrl-Z, a frozen container) has
    waited for one piece only, and reads what was sent meanwhile.
    """

    left_s: float = _START_S
    too_long: trio.CancelScope = field(default_factory=trio.CancelScope)

    def broken(self) -> None:
        """The process has reported that it is alive."""
        self.left_s = _SILENCE_S

    async def run(self) -> None:
        """Counts the time, until it is over."""
        while self.left_s > 0:
            await trio.sleep(_LOOK_S)
            self.left_s -= _LOOK_S
        self.too_long.cancel()


async def live(frames: Frames, handle: Callable[[Any, trio.Nursery], None]) -> Death:
    """Runs one process until it ends, is silent for too long, or this is cancelled; then it is killed.

    `frames` are sent to it, `handle` is called with every value that it sends, and a nursery for the time of its life.
    Raises `OidlError` if the system starts no more processes.
    """
    with _explaining_refusals():
        ours, theirs = socket.socketpair()
    async with trio.SocketStream(trio.socket.from_stdlib_socket(ours)) as stream:
        with theirs, _explaining_refusals():
            process = await _started(theirs)
        assert process.stderr
        printed, is_silent = bytearray(), False
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(frames.run, stream)
                nursery.start_soon(_keep_end, process.stderr, printed)
                is_silent = await _receive(stream, handle, nursery)
                nursery.cancel_scope.cancel()
        finally:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
                with trio.move_on_after(_STDERR_S):
                    await _keep_end(process.stderr, printed)
                await process.stderr.aclose()
    text = printable(printed.decode(errors="replace")).strip()
    if is_silent:
        return Death("did not answer any more", was_killed=False, printed=text)
    return Death(_described(process.returncode, text), process.returncode == -signal.SIGKILL, text)


async def _receive(
    stream: trio.SocketStream, handle: Callable[[Any, trio.Nursery], None], nursery: trio.Nursery
) -> bool:
    """Handles what arrives until the process has gone; returns False, or True if it was silent for too long."""
    silence = Silence()
    nursery.start_soon(silence.run)
    with silence.too_long:
        async with aclosing(Frames.received(stream)) as received:
            async for value in received:
                if not isinstance(value, Reply):  # it reports every few seconds that it is alive
                    silence.broken()
                handle(value, nursery)
    return silence.too_long.cancelled_caught


async def _started(channel: socket.socket) -> trio.Process:
    return await trio.lowlevel.open_process(
        COMMAND,
        stdin=channel,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the coordinator
        env=os.environ | _ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


@contextmanager
def _explaining_refusals() -> Iterator[None]:
    try:
        yield
    except OSError as error:  # too many open files or processes, too little memory
        raise OidlError(
            f"a worker process cannot be started: {error.strerror}", hint="use fewer, like `--processes 1`"
        ) from error


def _described(code: int | None, printed: str) -> str:
    if code is None or code >= 0:
        lines = [line.strip(_FRAME) for line in printed.splitlines()]
        last = shortened(next(filter(None, reversed(lines)), ""), 200)
        return f"ended by itself (exit code {code}{': ' if last else ''}{last})"
    try:
        name = signal.Signals(-code).name
    except ValueError:  # a real-time signal
        name = f"signal {-code}"
    return f"was killed ({name}{', perhaps for lack of memory' if -code == signal.SIGKILL else ''})"


async def _keep_end(stream: trio.abc.ReceiveStream, end: bytearray) -> None:
    """Reads everything that a process prints, so that it never waits, and keeps the end of it."""
    async for piece in stream:
        end += piece
        del end[:-_STDERR_BYTES]
