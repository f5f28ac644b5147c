"""Connects feed, node and recorder, to process the images of one run."""

import random
from datetime import UTC, datetime, timedelta

from oidl.pipeline.feed import Feed, FeedEnd, InFlight
from oidl.pipeline.limits import streak_text
from oidl.pipeline.machines import ImageWork, Machines
from oidl.pipeline.record import Recorder
from oidl.pipeline.retry import RULES
from oidl.pipeline.selection import ImageSelection
from oidl.pipeline.streak import ONSET
from oidl.state.queue import Queue
from oidl.state.requeue import requeue_streak
from oidl.text import counted


class ImageStages:
    """Composes the stages that process the images of a run, on `machines`."""

    def __init__(self, work: ImageWork, machines: Machines) -> None:
        self._work = work
        self._machines = machines
        self._context = work.context
        self._settings = work.context.settings
        self._state = work.context.state
        self._limits = work.inputs.limits

    async def run(self, queue: Queue, selected: ImageSelection) -> FeedEnd:
        """Processes the images of `queue`; returns why the feed ended."""
        in_flight = InFlight(selected.target)
        async with self._machines(self._work, in_flight) as machine:
            end = await machine.run(self._feed(queue, in_flight, selected), self._recorder(in_flight))
        return end or FeedEnd.STOPPED

    async def withdraw_streaks(self) -> str:
        """Withdraws the verdicts of streaks; returns a message about them, empty if there were none."""
        streaks = [each for each in self._limits.streaks() if RULES[each.reason].tries]
        due = datetime.now(UTC) + timedelta(seconds=self._settings.retries.confirm_after_s)
        count = 0
        for each in streaks:
            span = (each.since - ONSET, each.until + ONSET)
            count += await self._state.run(requeue_streak, self._state.db, each.reason, span, due)
        streak = self._limits.streak()
        if streak and RULES[streak.reason].tries:
            self._context.stop.limit_reached(streak_text(streak))
        if not streaks:
            return ""
        what = counted(count, "image") if count else "images"
        return (
            f"{what} that failed for the same reason will be retried; to accept such failures, use --max-failure-rate 2"
        )

    def _feed(self, queue: Queue, in_flight: InFlight, selected: ImageSelection) -> Feed:
        return Feed(
            queue,
            in_flight,
            self._context.stop,
            self._settings.retries,
            say=self._context.say,
            any_incomplete=selected.any_incomplete,
        )

    def _recorder(self, in_flight: InFlight) -> Recorder:
        return Recorder(
            self._state,
            in_flight,
            self._context.meter,
            self._context.stop,
            random.Random(),
            confirm_after_s=self._settings.retries.confirm_after_s,
            on_news=self._limits.count_outcome,
        )
