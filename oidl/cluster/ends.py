"""The two ends of the stages of a node on a cluster: jobs that arrive, and outcomes that wait for the next answer."""

from collections.abc import Callable
from contextlib import suppress

import trio

from oidl.model import Job
from oidl.node.attempt import Outcome


class JobFeed:
    """The jobs of a node, until the coordinator sends no more.

    If the node takes no more, because it drains, `record` is called for those that have arrived, without a result.
    """

    def __init__(self, arrived: trio.MemoryReceiveChannel[Job], record: Callable[[Outcome], None]) -> None:
        self._arrived = arrived
        self._record = record

    async def run(self, jobs: trio.MemorySendChannel[Job]) -> None:
        """As in `Feed`."""
        async with jobs:
            async for job in self._arrived:
                try:
                    await jobs.send(job)
                except trio.BrokenResourceError:
                    return self._give_back(job)

    def _give_back(self, job: Job) -> None:
        with suppress(trio.WouldBlock, trio.EndOfChannel):
            while True:
                self._record(Outcome(job, None))
                job = self._arrived.receive_nowait()


class OutcomeRecorder:
    """Calls `record` with each outcome."""

    def __init__(self, record: Callable[[Outcome], None]) -> None:
        self._record = record

    async def run(self, outcomes: trio.MemoryReceiveChannel[Outcome]) -> None:
        """As in `Recorder`."""
        async for outcome in outcomes:
            self._record(outcome)
