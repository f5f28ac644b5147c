"""Connects feed, node and recorder, to process the images of one run."""

import logging
import random
import ssl
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from oidl.net.connections import Connections
from oidl.net.permits import Permits
from oidl.net.transfer import Downloader
from oidl.node.node import Node
from oidl.node.originals import LocalOriginals
from oidl.node.pool import Arrivals, open_workers, process_count, with_processes
from oidl.node.sources import Sources
from oidl.pipeline.context import Context
from oidl.pipeline.feed import Feed, FeedEnd, InFlight
from oidl.pipeline.inputs import Inputs
from oidl.pipeline.limits import streak_text
from oidl.pipeline.record import Recorder
from oidl.pipeline.retry import RULES
from oidl.pipeline.selection import ImageSelection
from oidl.pipeline.shards import RunShards
from oidl.pipeline.streak import ONSET
from oidl.pipeline.writer import StateWriter
from oidl.settings import WorkerSettings
from oidl.state.queue import Queue
from oidl.state.requeue import requeue, requeue_streak
from oidl.storage.layout import subset_directory
from oidl.text import counted

_OTHERS_SHARE = 0.1  # of --limit-rate, for annotations that are fetched beside images
_PATIENCE = 5  # times --max-wait: how long the run waits for pauses while no image progresses


class ImageStages:
    """Composes the stages that process the images of a run; temporary files have names that begin with its `token`."""

    def __init__(self, context: Context, inputs: Inputs, tls: ssl.SSLContext, token: str, shards: RunShards) -> None:
        self._context = context
        self._settings = context.settings
        self._state = context.state
        self._inputs = inputs
        self._limits = inputs.limits
        self._tls = tls
        self._token = token
        self._shards = shards

    async def run(self, queue: Queue, selected: ImageSelection) -> FeedEnd:
        """Processes the images of `queue`; returns why the feed ended."""
        context, settings = self._context, self._settings
        processes = settings.processes or process_count(context.meter.remaining)
        transfers, in_flight = with_processes(settings.transfers, processes), InFlight(selected.target)
        permits = Permits(
            transfers,
            context.version.providers,
            await self._state.run(self._state.ledger.paces.read),
            say=context.say,
            on_throttled=context.meter.throttled,
        )
        context.meter.paced_by(permits.paces)
        # Annotations that are fetched meanwhile come through this process, whatever the number of workers.
        others = _OTHERS_SHARE if processes > 1 and settings.download_metadata else 0.0
        sharing = self._inputs.throttle.sharing(others) if others else nullcontext()
        async with (
            open_workers(
                processes,
                self._worker_settings(1.0 - others),
                self._tls,
                _StateQuestions(self._state, self._shards),
                Arrivals(self._inputs.arrived, self._inputs.count),
                context.say,
            ) as workers,
            Connections(transfers.max_total_connections, workers.new_connection) as connections,
        ):
            node = Node(
                Downloader(permits, connections, transfers),
                LocalOriginals(settings.originals, self._has_originals, workers),
                Sources(settings.originals.sources, context.version.mirrors, transfers.max_image_bytes),
                context.stop,
                context.meter,
                patience_s=_PATIENCE * settings.retries.max_wait_s,
            )
            with sharing:
                end = await node.run(self._feed(queue, in_flight, selected), self._recorder(in_flight))
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

    def _worker_settings(self, share: float) -> WorkerSettings:
        """The settings of all workers together, with this share of the limit on bytes per second."""
        settings, transfers = self._settings, self._settings.transfers
        if transfers.max_bytes_per_s:
            transfers = replace(transfers, max_bytes_per_s=transfers.max_bytes_per_s * share)
        return WorkerSettings(
            number=0,
            transfers=transfers,
            layout=settings.layout,
            originals=settings.originals,
            imaging=settings.imaging,
            threads=settings.threads,
            token=self._token,
            shards=settings.shards,
            log_level=logging.getLogger("oidl").getEffectiveLevel(),
        )

    def _has_originals(self, subset: str) -> bool:
        return subset_directory(self._settings.layout, subset, self._settings.originals.directory).is_dir()


class _StateQuestions:
    """Answers what workers ask, from the database: the `Coordinator` of a run."""

    def __init__(self, state: StateWriter, shards: RunShards) -> None:
        self._state = state
        self.open_shard, self.shard_is_full = shards.open_shard, shards.shard_is_full

    async def claim_name(self, name: str, image_id: str) -> bool:
        """As in `Coordinator`."""
        return await self._state.run(self._state.ledger.claim_name, name, image_id)

    async def before_replace(self, files: list[tuple[str, str]]) -> None:
        """As in `Coordinator`."""
        image_ids = {image_id for image_id, _ in files}
        await self._state.run(requeue, self._state.db, files, image_ids)
