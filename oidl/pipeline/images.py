"""Connects feed, node and recorder, to process the images of one run."""

import random
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import trio

from oidl.net.client import new_client
from oidl.net.connections import Connections
from oidl.net.permits import Permits
from oidl.net.transfer import Downloader
from oidl.node.node import Node
from oidl.node.process import Processor
from oidl.node.sources import Sources
from oidl.pipeline.context import Context
from oidl.pipeline.feed import Feed, FeedEnd, InFlight
from oidl.pipeline.limits import RunLimits, streak_text
from oidl.pipeline.record import Recorder
from oidl.pipeline.retry import RULES
from oidl.pipeline.selection import ImageSelection
from oidl.pipeline.streak import ONSET
from oidl.settings import NodeSettings
from oidl.state.queue import Queue
from oidl.state.requeue import requeue, requeue_streak
from oidl.storage.atomic import AtomicWriter
from oidl.storage.files import Files
from oidl.text import counted

_PATIENCE = 5  # times --max-wait: how long the run waits for pauses while no image progresses


class ImageStages:
    """Composes the stages that process the images of a run. `on_bytes` is called with all byte counts, and may wait."""

    def __init__(
        self,
        context: Context,
        limits: RunLimits,
        files: AtomicWriter,
        tls: ssl.SSLContext,
        on_bytes: Callable[[int], Awaitable[None]],
    ) -> None:
        self._context = context
        self._settings = context.settings
        self._state = context.state
        self._limits = limits
        self._files = files
        self._tls = tls
        self._on_bytes = on_bytes

    async def run(self, queue: Queue, selected: ImageSelection) -> FeedEnd:
        """Processes the images of `queue`; returns why the feed ended."""
        context, transfers = self._context, self._settings.transfers
        in_flight = InFlight(selected.target)
        permits = Permits(
            transfers,
            context.version.providers,
            await self._state.run(self._state.ledger.paces.read),
            say=context.say,
            on_throttled=context.meter.throttled,
        )
        context.meter.paced_by(permits.paces)
        client = partial(new_client, transfers, self._tls)
        async with Connections(transfers.max_total_connections, client) as connections:
            node = Node(
                Downloader(permits, connections, transfers, self._on_bytes),
                self._processor(),
                Sources(self._settings.originals.sources, context.version.mirrors, transfers.max_image_bytes),
                context.stop,
                context.meter,
                NodeSettings(self._settings.threads, _PATIENCE * self._settings.retries.max_wait_s),
            )
            return await node.run(self._feed(queue, in_flight, selected), self._recorder(in_flight)) or FeedEnd.STOPPED

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

    def _processor(self) -> Processor:
        settings = self._settings
        store = Files(settings.layout, self._files, settings.originals.directory, self._claim)
        return Processor(store, settings.originals, settings.imaging, self._before_replace)

    def _before_replace(self, files: list[tuple[str, str]]) -> None:
        """Removes the rows of files that are about to be replaced; runs in a validator's thread."""
        image_ids = {image_id for image_id, _ in files}
        trio.from_thread.run(self._state.run, requeue, self._state.db, files, image_ids)

    def _claim(self, name: str, image_id: str) -> bool:
        """Whether the files of an image may have this name; runs in a validator's thread."""
        return trio.from_thread.run(self._state.run, self._state.ledger.claim_name, name, image_id)
