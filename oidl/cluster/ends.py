"""The two ends of the stages of a node on a cluster: jobs that arrive, and outcomes that wait for the next answer."""

from collections.abc import Callable

import trio

from oidl.model import Job
from oidl.node.attempt import Outcome


class JobFeed:
    """The jobs of a node, until the coordinator sends no more."""

    def __init__(self, arrived: trio.MemoryReceiveChannel[Job]) -> None:
        self._arrived = arrived

    async def run(self, jobs: trio.MemorySendChannel[Job]) -> None:
        """As in `Feed`."""
        async with jobs:
            async for job in self._arrived:
                await jobs.send(job)


class OutcomeRecorder:
    """Calls `record` with each outcome."""

    def __init__(self, record: Callable[[Outcome], None]) -> None:
        self._record = record

    async def run(self, outcomes: trio.MemoryReceiveChannel[Outcome]) -> None:
        """As in `Recorder`."""
        async for outcome in outcomes:
            self._record(outcome)
