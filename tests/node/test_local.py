"""A worker in this process: what it does in the event loop's thread, and what in another."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import trio
from builders import THUMB, job

from oidl.imaging.photo import photo
from oidl.model import Done, Failure, Fetched, Source
from oidl.node.local import LocalWorker

QUICK, SLOW = photo(1, 120, 90), photo(1, 1500, 1000)


@dataclass
class Processor:
    """Notes the thread of each image; each takes `takes_s`."""

    takes_s: float = 0.001
    threads: list[bool] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        self.threads = []

    def process(self, item: object, fetched: Fetched) -> Done | Failure:
        self.threads.append(threading.current_thread() is threading.main_thread())
        return Done(Source.ORIGINAL, None, len(fetched.body), "m", 1, 1, ())


async def nobody(_: int) -> None:
    pass


def run(main: Callable[[Processor, Callable[..., LocalWorker]], Any]) -> None:
    processor = Processor()

    def timed(work: Callable[..., Any], *args: object) -> tuple[Any, float]:
        in_a_thread = threading.current_thread() is not threading.main_thread()
        return work(*args), 1.0 if in_a_thread else processor.takes_s  # threads wait for each other

    def worker(*, may_block: bool) -> LocalWorker:
        return LocalWorker(processor, None, nobody, 2, may_block=may_block, timed=timed)  # type: ignore[arg-type]

    trio.run(main, processor, worker)


async def process(worker: LocalWorker, body: bytes, count: int = 1) -> None:
    for _ in range(count):
        await worker.process(job(1, (THUMB,)), Fetched(Source.ORIGINAL, "u", body))


@pytest.mark.parametrize(
    ("may_block", "body", "is_here"), [(True, QUICK, True), (True, SLOW, False), (False, QUICK, False)]
)
def test_only_a_quick_image_is_processed_in_the_loop_and_only_if_it_may_block(
    may_block: bool, body: bytes, is_here: bool
) -> None:
    async def main(processor: Processor, worker: Callable[..., LocalWorker]) -> None:
        await process(worker(may_block=may_block), body)
        assert processor.threads == [is_here]

    run(main)


def test_a_slow_disk_is_not_waited_for_in_the_loop_until_it_is_quick_again() -> None:
    async def main(processor: Processor, worker: Callable[..., LocalWorker]) -> None:
        blocking = worker(may_block=True)
        processor.takes_s = 0.1
        await process(blocking, QUICK, 100)
        assert sum(processor.threads[:3]) == 3, "it is not yet known"
        assert sum(processor.threads) < 12, "but for the first ones, only one in a while is tried there"
        processor.takes_s = 0.001
        await process(blocking, QUICK, 2000)
        assert all(processor.threads[-100:])

    run(main)
