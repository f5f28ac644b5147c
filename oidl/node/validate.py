"""The validators: each passes one body after another to a thread, which verifies, renders and stores it."""

import trio

from oidl.model import Done, Failure, Source
from oidl.node.attempt import Body
from oidl.node.conclude import Conclusion
from oidl.node.containment import contained
from oidl.node.process import Processor
from oidl.node.threads import run_abandonable
from oidl.progress.meter import Meter


class Validator:
    """Runs `processor` in up to `threads` threads at once."""

    def __init__(self, processor: Processor, conclusion: Conclusion, meter: Meter, threads: int) -> None:
        self._processor = processor
        self._conclusion = conclusion
        self._meter = meter
        self._threads = trio.CapacityLimiter(threads)

    async def run(self, bodies: trio.MemoryReceiveChannel[Body]) -> None:
        """Processes each of `bodies`, and concludes its attempt."""
        async with bodies:
            async for body in bodies:
                attempt, memory = body.attempt, body.memory
                self._meter.processing(attempt.job)
                result = await self._process(body)
                self._meter.processed(attempt.job)
                del body  # frees the bytes before the budget counts them as free
                memory.release()
                await self._conclusion.conclude(attempt, result)

    async def _process(self, body: Body) -> Done | Failure:
        fetched = body.fetched
        url = None if fetched.source == Source.LOCAL else fetched.url
        with contained(body.job, fetched.source, url) as bug:
            return await run_abandonable(self._processor.process, body.job, fetched, limiter=self._threads)
        assert bug.failure
        return bug.failure
