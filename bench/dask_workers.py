"""A Dask scheduler, and workers in processes that are killed and frozen at random."""

import asyncio
import logging
import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import trio

TTL_S = 8.0
"""The scheduler gives up a worker that was silent for so long."""

_LOOK_S = 0.2


@contextmanager
def scheduler() -> Iterator[Any]:
    """A scheduler without workers, and its client."""
    import dask
    from distributed import Client, LocalCluster

    with (
        dask.config.set({"distributed.scheduler.worker-ttl": f"{TTL_S}s"}),
        LocalCluster(n_workers=0, dashboard_address=None, silence_logs=logging.CRITICAL) as started,
        Client(started, set_as_default=False) as client,
    ):
        yield client


def work(address: str) -> None:
    """A worker, in a process that has its libraries imported already."""
    import dask
    from distributed import Worker

    async def live() -> None:
        async with Worker(address, nthreads=1, dashboard=False) as worker:
            await worker.finished()

    logging.disable(logging.CRITICAL)
    with dask.config.set({"distributed.scheduler.worker-ttl": f"{TTL_S}s"}):
        asyncio.run(live())


@dataclass
class DaskWorkers:
    """Workers of the scheduler at `address`: processes of `forks` that run `work`; `done` counts what befalls them."""

    forks: Any
    work: Callable[[str], None]
    address: str
    rng: random.Random
    done: Counter[str]
    _processes: dict[int, Any] = field(default_factory=dict)  # by slot
    _frozen: set[int] = field(default_factory=set)  # PIDs

    async def keep(self, slot: int) -> None:
        """Keeps a worker in this slot: another process begins when one ends."""
        try:
            while True:
                process = self._processes[slot] = self.forks.Process(target=self.work, args=(self.address,))
                process.start()
                await ended(process)
        finally:
            self._processes[slot].kill()

    async def kill(self, least_s: float, most_s: float) -> None:
        """Kills one that is not frozen, each time after a random time between these."""
        while True:
            await trio.sleep(self.rng.uniform(least_s, most_s))
            if pids := [pid for pid in self._pids() if pid not in self._frozen]:
                with suppress(ProcessLookupError):
                    os.kill(self.rng.choice(pids), signal.SIGKILL)
                self.done["worker killed"] += 1

    async def freeze(self, least_s: float, most_s: float, asleep_s: Callable[[], float]) -> None:
        """Freezes one for `asleep_s()`, each time after a random time between these."""
        while True:
            await trio.sleep(self.rng.uniform(least_s, most_s))
            pid = self.rng.choice(self._pids())
            self._frozen.add(pid)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                self.done["worker frozen"] += 1
                await trio.sleep(asleep_s())
                os.kill(pid, signal.SIGCONT)
            self._frozen.discard(pid)

    def wake(self) -> int:
        """Wakes those that are frozen; returns how many."""
        count = len(self._frozen)
        for pid in self._frozen:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._frozen.clear()
        return count

    def _pids(self) -> list[int]:
        return [process.pid for process in self._processes.values() if process.pid]


async def ended(process: Any) -> int:
    """Waits for the end of a process; returns its exit code."""
    while process.exitcode is None:
        with trio.move_on_after(_LOOK_S):
            await trio.lowlevel.wait_readable(process.sentinel)
    code: int = process.exitcode
    return code
