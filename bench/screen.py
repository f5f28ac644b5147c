"""The cost of the full screen: four frames per second of a run with 128 downloads in progress and full lists."""

import argparse
import fcntl
import os
import struct
import termios
import threading
import time
from collections import deque

import trio

from bench.measure import machine
from oidl.model import Done, Failure, Job, Reason, Source, Status, StatusCount, WrittenFile
from oidl.net.body import Body
from oidl.progress.meter import Meter
from oidl.progress.screen import Screen
from oidl.progress.terminal import open_terminal

_DOWNLOADS = 128
_TICK_S = 0.25
_END = b"\x00"

_FILE = WrittenFile("images-resized", "2017_11/train/images-resized/0a1/0a1b2c3d4e5f6071.jpg", 40_000, 640, 480)
_DONE = Done(Source.ORIGINAL, "https://c1.staticflickr.com/1/2_o.jpg", 1_900_000, "m", 1024, 768, (_FILE,))
_GONE = Failure(Reason.GONE, "HTTP 410", http_status=410, url="https://c1.staticflickr.com/1/3_o.jpg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--columns", type=int, default=80)
    parser.add_argument("--lines", type=int, default=24)


def run(arguments: argparse.Namespace) -> None:
    """Draws to a pseudo-terminal that a thread empties; subtracts the cost of the same run without the screen."""
    undrawn_s, _ = _measured(arguments, is_drawn=False)
    drawn_s, written = _measured(arguments, is_drawn=True)
    print(f"{machine()}\n")
    print("| `python -m bench screen` | per cent of a core | kB/s to the terminal |\n|---|---|---|")
    per_cent = 100 * (drawn_s - undrawn_s) / arguments.seconds
    print(f"| {arguments.columns} × {arguments.lines} | {per_cent:.1f} | {written / arguments.seconds / 1000:.0f} |")


def _measured(arguments: argparse.Namespace, *, is_drawn: bool) -> tuple[float, int]:
    """The CPU time of this process, and the number of bytes written to the terminal."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", arguments.lines, arguments.columns, 0, 0))
    written = 0

    def empty() -> None:
        nonlocal written
        while not (data := os.read(master, 65_536)).endswith(_END):
            written += len(data)

    reader = threading.Thread(target=empty)
    reader.start()
    with os.fdopen(slave, "w", encoding="utf-8") as stream:
        began = time.process_time()
        with open_terminal(stream) as terminal:

            async def show() -> None:
                meter = _busy_meter()
                screen = Screen(meter, terminal, deque(), lambda: None)
                async with trio.open_nursery() as nursery:
                    if is_drawn:
                        nursery.start_soon(screen.run)
                    await _advance(meter, arguments.seconds)
                    nursery.cancel_scope.cancel()

            trio.run(show)
        spent_s = time.process_time() - began
        stream.write(_END.decode())
        stream.flush()
        reader.join()
    os.close(master)
    return spent_s, written


def _busy_meter() -> Meter:
    meter = Meter(trio.current_time, remaining=9_000_000)
    meter.set_baseline(
        [StatusCount("train", Status.PENDING, None, 9_011_219), StatusCount("test", Status.PENDING, None, 125_436)]
    )
    meter.set_baseline(StatusCount("train", Status.FAILED, reason, 1000) for reason in Reason)
    for number in range(100):
        meter.recorded(_job(number), _DONE, Status.DONE)
        meter.recorded(_job(number), _GONE, Status.FAILED)
    return meter


async def _advance(meter: Meter, seconds: float) -> None:
    """Changes all numbers between all frames."""
    bodies = [Body(1.0) for _ in range(_DOWNLOADS)]
    for number, body in enumerate(bodies):
        meter.started(_job(number))
        meter.requested(_job(number), _job(number).original_url, body)
    for tick in range(round(seconds / _TICK_S)):
        await trio.sleep(_TICK_S)
        for body in bodies:
            body.size = (body.size + 14_000) % 1_900_000
        meter.read(128 * 14_000)
        meter.recorded(_job(1000 + tick), _DONE, Status.DONE)


def _job(number: int) -> Job:
    url = f"https://c{number % 8}.staticflickr.com/1/{number}_o.jpg"
    return Job(f"{number:016x}", "train", url, 1_900_000, "m", "", ())
