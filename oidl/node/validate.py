"""The validators: each lets a worker verify, render and store one body after another."""

from contextlib import suppress

import trio

from oidl.model import Done, Failure, Source
from oidl.node.attempt import Body
from oidl.node.conclude import Conclusion
from oidl.node.containment import contained
from oidl.node.worker import WorkerDiedError, Workers
from oidl.progress.meter import Meter


class Validators:
    """For each of `workers`, a queue of bodies, and as many validators as it has threads. `async with` ends the queues.

    A queue holds two bodies for each thread; a fetcher that has one more waits.
    """

    def __init__(self, workers: Workers, conclusion: Conclusion, meter: Meter) -> None:
        self._workers = workers
        self._conclusion = conclusion
        self._meter = meter
        self._queues = [trio.open_memory_channel[Body](2 * worker.threads) for worker in workers.members]

    async def __aenter__(self) -> "Validators":
        return self

    async def __aexit__(self, *_: object) -> None:
        for sender, _receiver in self._queues:
            sender.close()

    async def queue(self, body: Body) -> None:
        """Queues `body` at the worker that has it."""
        await self._queues[body.fetched.worker][0].send(body)

    async def run(self) -> None:
        """Validates the bodies of all queues, until those have ended."""
        async with trio.open_nursery() as nursery:
            for worker, (_sender, bodies) in zip(self._workers.members, self._queues, strict=True):
                for _ in range(worker.threads):
                    nursery.start_soon(self._validate_all, bodies)

    async def validate(self, body: Body) -> None:
        """Validates one body, and concludes its attempt."""
        attempt, memory = body.attempt, body.memory
        self._meter.processing(attempt.job)
        try:
            result = await self._process(body)
        except WorkerDiedError as error:
            memory.release()
            await self._conclusion.worker_died(attempt, error, body.fetched)
            return
        self._meter.processed(attempt.job)
        del body  # frees the bytes before the budget counts them as free
        memory.release()
        await self._conclusion.conclude(attempt, result)

    async def _validate_all(self, bodies: trio.MemoryReceiveChannel[Body]) -> None:
        with suppress(trio.EndOfChannel):
            while True:
                await self.validate(await bodies.receive())  # a variable here would keep the body alive

    async def _process(self, body: Body) -> Done | Failure:
        fetched = body.fetched
        url = None if fetched.source == Source.LOCAL else fetched.url
        with contained(body.job, fetched.source, url) as bug:
            return await self._workers.members[fetched.worker].process(body.job, fetched)
        assert bug.failure
        return bug.failure
