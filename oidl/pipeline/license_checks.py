"""Checks the licences of photos, one request after another, and records what was found.

    feed       hands out photos that have no recent check, and those that are due again
    askers     a few tasks that ask the service; the permits say when
    recorder   commits results in batches; only then a photo counts

A kill costs what was not recorded yet: a fraction of a second. The first request to stop lets the requests in progress
finish; the second cancels them.
"""

import logging
import math
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import trio

from oidl.dataset.flickr.answers import KeyRefused
from oidl.model import CheckResult, PublishedPhoto
from oidl.net.pace import PaceState
from oidl.net.permits import Permits
from oidl.node.stop import Stop
from oidl.pipeline.license_ask import Asked, LicenseService
from oidl.pipeline.license_feed import LicenseFeed, PhotoJob
from oidl.pipeline.license_retry import AskAgain, decide_check
from oidl.pipeline.writer import StateWriter
from oidl.progress.licenses import LicenseMeter
from oidl.state.license_queue import LicenseQueue
from oidl.state.licenses import MadeCheck, record_checks

_BATCH = 500
_BATCH_S = 0.25
_PACES_S = 5.0
_IN_A_ROW = 50  # answers without a verdict before the check stops: it is not about the photos then
_MOST_ASKERS = 8

log = logging.getLogger("oidl")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CheckEnd:
    """How a check ended: how many photos are left to ask for, and why, "" if it is about single photos."""

    left: int
    why: str = ""
    is_interrupted: bool = False
    is_key_refused: bool = False


@dataclass(frozen=True, slots=True)
class _Made:
    """A photo and what was found out about it."""

    job: PhotoJob
    result: CheckResult


def most_in_flight(requests_per_s: float) -> int:
    """How many requests may be in progress: one at one a second, as people would ask; more for higher rates."""
    return max(1, min(_MOST_ASKERS, math.ceil(requests_per_s / 4)))


class LicenseChecks:
    """Checks the photos of `queue` by `service`, which asks by `permits`, and records what it finds in `state`."""

    def __init__(
        self,
        service: LicenseService,
        state: StateWriter,
        queue: LicenseQueue,
        permits: Permits,
        meter: LicenseMeter,
        stop: Stop,
    ) -> None:
        self._service = service
        self._state = state
        self._queue = queue
        self._permits = permits
        self._meter = meter
        self._stop = stop
        self._rng = random.Random()
        self._one_at_a_time = trio.CapacityLimiter(1)
        self._without_verdict = 0
        self._why = ""
        self._is_key_refused = False
        self._confirm_after_s = 0.0
        self._feed: LicenseFeed

    async def run(self, *, in_flight: int, confirm_after_s: float, patience_s: float) -> CheckEnd:
        """Asks, with `in_flight` requests at once, until all is asked, or it is stopped.

        It also ends when nothing was recorded for `patience_s`. `confirm_after_s` is that of `decide_check`.
        """
        self._confirm_after_s = confirm_after_s
        self._feed = LicenseFeed(self._page, self._stop.draining, patience_s)
        await self._stop.unless_cancelling(partial(self._run, in_flight))
        if self._feed.has_given_up and not self._why:
            self._why = f"nothing was found out for {patience_s:.0f} s"
        return CheckEnd(self._meter.left, self._why, self._stop.is_interrupted, self._is_key_refused)

    async def _run(self, in_flight: int) -> None:
        self._meter.left = await self._ask(self._queue.count)
        to_askers, jobs = trio.open_memory_channel[PhotoJob](0)
        to_recorder, results = trio.open_memory_channel[_Made](0)
        async with trio.open_nursery() as watching:
            watching.start_soon(self._drain)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._feed.run, to_askers)
                nursery.start_soon(self._record, results)
                async with jobs, to_recorder:
                    for _ in range(in_flight):
                        nursery.start_soon(self._asker, jobs.clone(), to_recorder.clone())
            watching.cancel_scope.cancel()

    async def _drain(self) -> None:
        await self._stop.draining.wait()
        self._permits.drain.begin()
        self._feed.stopped()

    async def _asker(self, jobs: trio.MemoryReceiveChannel[PhotoJob], results: trio.MemorySendChannel[_Made]) -> None:
        async with jobs, results:
            async for job in jobs:
                answer = await self._service.ask(job.photo)
                step = decide_check(answer, job.tries, self._rng, self._confirm_after_s)
                self._note(answer, step)
                match step:
                    case CheckResult():
                        await results.send(_Made(job, step))
                    case AskAgain():
                        log.debug("%s again in %.0f s: %s", job.photo.image_id, step.after_s, step.why)
                        self._meter.retried()
                        self._feed.again(job, step)
                    case _:
                        log.info("%s is left for later: %s", job.photo.image_id, step.why)
                        self._feed.released()

    def _note(self, answer: Asked, step: object) -> None:
        """Stops the check if the key is refused, or if the answers are not about the photos any more."""
        if isinstance(answer, KeyRefused):
            self._is_key_refused = True
            self._stop_because(f"Flickr does not accept the API key: {answer.reason}")
        elif isinstance(answer, CheckResult):
            self._without_verdict = 0
        elif answer is not None and not (isinstance(step, AskAgain) and step.pauses):
            self._without_verdict += 1
            if self._without_verdict >= _IN_A_ROW:
                why = getattr(step, "why", "") or getattr(step, "reason", "")
                self._stop_because(f"the last {_IN_A_ROW} answers said nothing about the photos: {why}")

    def _stop_because(self, why: str) -> None:
        self._why = self._why or why
        self._stop.limit_reached(why)

    async def _record(self, results: trio.MemoryReceiveChannel[_Made]) -> None:
        batch: list[_Made] = []
        paces_at = trio.current_time()
        try:
            async for first in results:
                batch.append(first)
                with trio.move_on_after(_BATCH_S), suppress(trio.EndOfChannel):
                    while len(batch) < _BATCH:
                        batch.append(await results.receive())
                await self._commit(batch)
                if trio.current_time() >= paces_at + _PACES_S:
                    paces_at = trio.current_time()
                    await self._state.run(self._write_paces, self._permits.paces())
        finally:
            with trio.CancelScope(shield=True):
                if batch:
                    await self._commit(batch)
                await self._state.run(self._write_paces, self._permits.paces())

    async def _commit(self, batch: list[_Made]) -> None:
        # Shielded, so that the counters agree with what is recorded.
        with trio.CancelScope(shield=True):
            made = tuple(batch)
            batch.clear()
            checks = [MadeCheck(each.job.photo, self._service.source, each.result) for each in made]
            await self._state.run(record_checks, self._state.db, checks, datetime.now(UTC))
            for each in made:
                log.debug("%s is %s", each.job.photo.image_id, each.result.verdict)
                self._meter.recorded(each.result)
            self._feed.recorded(len(made))

    def _write_paces(self, paces: tuple[PaceState, ...]) -> None:
        with self._state.ledger.transaction():
            self._state.ledger.paces.write(paces)

    async def _page(self, size: int) -> list[PublishedPhoto]:
        return await self._ask(partial(self._queue.page, size))

    async def _ask(self, question: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(question, limiter=self._one_at_a_time)
