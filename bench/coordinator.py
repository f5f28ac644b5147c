"""A coordinator whose nodes answer at once, without work: how many outcomes a second it takes, and in what memory.

Run as `python -m bench.coordinator HOME NODES`, in a directory with `list.csv`. It prints a line for each tenth of the
images: outcomes a second and a second of CPU, and the resident set.
"""

import multiprocessing
import os
import pickle
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import trio

from bench.measure import resident_bytes
from oidl.cli.displays import DisplayOptions
from oidl.cli.options.run import RunOptions
from oidl.cli.session import RunSession
from oidl.cluster import tasks
from oidl.cluster.dispatch import Dispatcher, Setup
from oidl.cluster.protocol import REPORTED, Answer, Exchange, Facts, Report, Result, SealOrder, Timing
from oidl.cluster.roster import Roster
from oidl.dataset.catalogue import find_version, read_catalogue
from oidl.model import Done, Job, Source, WrittenFile
from oidl.net.pace import PaceState
from oidl.node.frames import Call, Reply, pickled
from oidl.pipeline.feed import InFlight
from oidl.pipeline.machines import ImageWork, Machine, node_settings, worker_settings
from oidl.pipeline.run import Run
from oidl.progress.console import open_console
from oidl.progress.statistics import InProgress, Processing, Transferring
from oidl.settings import Display
from oidl.state.database import open_writer

_PACES = (PaceState("flickr", 16, 30.0, 0.0, 30.0),)
_URL = "https://farm8.staticflickr.com/7382/9999999999_0123456789_o.jpg"
_ACTIVE = InProgress(
    16,
    4,
    tuple(
        Transferring(f"{number:016x}", "train", "farm8.staticflickr.com", _URL, 10_000, 90_000, 1.0)
        for number in range(REPORTED)
    ),
    tuple(Processing(f"{number:016x}", "train", 0.1) for number in range(4)),
)


def _result(job: Job) -> Result:
    home = f"v/{job.subset}/images-resized/{job.image_id[:3]}/{job.image_id}.jpg"
    file = WrittenFile(job.missing_renditions[0].name, home, 20_000, 224, 168, scaled_width=224, scaled_height=168)
    done = Done(Source.ORIGINAL, job.original_url, job.original_size, job.original_md5, 640, 480, (file,))
    return Result(job.image_id, done)


def _answer_all(pipe: Connection) -> None:
    """What the nodes do, in a process of their own: everything is done when they are asked."""
    with suppress(EOFError):
        while True:
            exchange: Exchange = pickle.loads(pipe.recv_bytes())
            results = tuple(map(_result, exchange.jobs))
            report = Report(0, 500 * len(results), 0, _PACES, _ACTIVE)
            pipe.send_bytes(pickled(Answer(results, report=report, has_ended=exchange.ends)))


class SyntheticEngine:
    """Nodes in another process, which is sent the same bytes as over Dask."""

    def __init__(self, nodes: int) -> None:
        self._addresses = frozenset(f"tcp://synthetic-{number}:1" for number in range(nodes))
        self._pipe, theirs = multiprocessing.Pipe()
        multiprocessing.get_context("spawn").Process(target=_answer_all, args=(theirs,), daemon=True).start()
        theirs.close()
        self._one_at_a_time = trio.CapacityLimiter(1)

    async def addresses(self) -> frozenset[str]:
        """As in `Engine`."""
        return self._addresses

    async def call(self, address: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """As in `Engine`."""
        await trio.lowlevel.checkpoint()
        if function is tasks.look:
            return Facts({}, True, 1)
        if function is tasks.begin:
            return None
        return await trio.to_thread.run_sync(self._ask, arguments[2], limiter=self._one_at_a_time)

    def _ask(self, exchange: bytes) -> bytes:
        self._pipe.send_bytes(exchange)
        return self._pipe.recv_bytes()


class NoFiles:
    """A `Truth` without files: there are none to publish."""

    async def begin(self, life: str) -> None:
        """As in `Truth`."""

    def holds(self, life: str) -> bool:
        """As in `Truth`."""
        return False

    async def orders(self, life: str, *, is_last: bool) -> tuple[SealOrder, ...]:
        """As in `Truth`."""
        return ()

    async def refused_names(self, jobs: Sequence[Job]) -> frozenset[tuple[str, str]]:
        """As in `Truth`."""
        return frozenset()

    async def publish(self, life: str, results: Sequence[tuple[Job, Result]]) -> list[Result]:
        """As in `Truth`."""
        return [each for _, each in results]

    async def reply(self, life: str, call: Call) -> Reply:
        """As in `Truth`."""
        return Reply(call.number, None)

    async def fence(self, life: str) -> None:
        """As in `Truth`."""


def _machines(nodes: int, images: int) -> Any:
    @asynccontextmanager
    async def opened(work: ImageWork, in_flight: InFlight) -> AsyncIterator[Machine]:
        context = work.context
        every = node_settings(context, worker_settings(context.settings, work.token))
        roster = Roster(context.meter, work.inputs, {})
        setup = Setup(lambda host, facts: every, lambda facts: None, roster.heard, "run", "", Timing())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_report, context.meter, images)
            yield Dispatcher(SyntheticEngine(nodes), NoFiles(), setup, context.stop, context.say)
            nursery.cancel_scope.cancel()

    return opened


async def _report(meter: Any, images: int) -> None:
    at, done, cpu_s = time.perf_counter(), 0, time.process_time()
    for tenth in range(1, 11):
        while meter.statistics().done < images * tenth / 10:  # noqa: ASYNC110
            await trio.sleep(0.2)
        now, count = time.perf_counter(), meter.statistics().done
        memory_mb = resident_bytes(os.getpid()) / 2**20
        used_s = time.process_time() - cpu_s
        rates = f"{(count - done) / (now - at):>7,.0f} a second, {(count - done) / used_s:>7,.0f} a CPU second"
        print(f"{count:>9,} done, {rates}, {memory_mb:>4.0f} MB", flush=True)
        at, done, cpu_s = now, count, cpu_s + used_s


def main(home: Path, nodes: int) -> None:
    """Runs with so many nodes."""
    root = home / f"root-{nodes}"
    root.mkdir()
    with open(home / "list.csv", encoding="utf-8") as file:
        images = sum(1 for _ in file) - 1
    version = find_version(read_catalogue(None), None)
    options = RunOptions.of(
        {
            "root_dir": root,
            "images_csv": str(home / "list.csv"),
            "download_metadata": False,
            "export_csv": False,
            "check_space": False,
            "min_free": 0,
        }
    )
    settings = options.settings(version.directory)
    with open_console(None, log_to_stdout=False) as console, open_writer(settings.state_db) as db:
        session = RunSession(settings, version, console, DisplayOptions(Display.NONE))
        end = session.run(db, lambda context: Run(context, machines=_machines(nodes, images)).run())
    assert end.exit_code == 0, end


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
