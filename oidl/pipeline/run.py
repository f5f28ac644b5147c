"""One whole run: lists, annotations and images, and how it ended.

Everything is composed here from a frozen `Settings`; `cli` adds the lock, the
signals and the printers around it.
"""

import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import trio

from oidl.dataset.catalogue import Version
from oidl.dataset.ids import read_image_ids
from oidl.errors import DiskError, ExitCode, MetadataError, OidlError
from oidl.model import Status
from oidl.net.client import new_client, tls_context
from oidl.net.hosts import Hosts
from oidl.pipeline.feed import Claims, Feed, FeedEnd
from oidl.pipeline.images import ImagePipeline
from oidl.pipeline.metadata import UNPACKING, Metadata
from oidl.pipeline.process import Processor
from oidl.pipeline.record import Recorder, beat
from oidl.pipeline.retry import UNCOUNTED
from oidl.pipeline.stop import Stop
from oidl.pipeline.writer import StateWriter
from oidl.progress.meter import Meter, Statistics
from oidl.settings import Settings
from oidl.state.counts import read_counts
from oidl.state.database import open_reader
from oidl.state.queue import Queue, Waiting
from oidl.state.requeue import put_failures_back
from oidl.storage.atomic import AtomicWriter
from oidl.storage.layout import subset_directory
from oidl.storage.sweep import remove_tree


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended: the exit code, one word for `run.outcome`, and what is left for later."""

    exit_code: ExitCode
    outcome: str
    error: OidlError | None = None
    waiting: int = 0
    next_due: datetime | None = None
    last_due: datetime | None = None


class Run:
    """One `oidl run` on an open state database whose writer lock is held."""

    def __init__(
        self,
        settings: Settings,
        version: Version,
        state: StateWriter,
        meter: Meter,
        stop: Stop,
        say: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._version = version
        self._state = state
        self._meter = meter
        self._stop = stop
        self._say = say
        self._tls = tls_context()
        self._metadata = Metadata(settings, version, state, self._tls, say, meter.read)
        self._files = AtomicWriter(state.ledger.token())

    async def run(self) -> RunEnd:
        """Does all that the settings ask for. Raises `OidlError` where nothing could be done at all."""
        # What was asked for and cannot be is said before anything is changed.
        self._metadata.missing_subsets()
        if self._settings.selection.image_ids:
            deque(read_image_ids(self._settings.selection.image_ids), maxlen=0)
        run_id = await self._state.run(self._open)
        outcome = "error"
        try:
            end = await self._work(run_id)
            outcome = end.outcome
            return end
        finally:
            with trio.CancelScope(shield=True):
                await self._state.run(self._close, outcome, self._meter.statistics())

    async def _work(self, run_id: int) -> RunEnd:
        settings = self._settings
        if settings.download_images:
            if not await self._unless_stopped(self._metadata.load_images):
                return RunEnd(ExitCode.INTERRUPTED, "interrupted")
            if settings.retries.failed is not None:
                self._say(f"{await self._state.run(self._put_failures_back):,} failures are back in the queue")
            self._meter.remaining = await self._state.run(self._unsettled)
        missing: list[MetadataError] = []
        end = FeedEnd.NOTHING_LEFT
        waiting = Waiting()
        async with trio.open_nursery() as nursery:
            if settings.download_metadata and settings.selection.limit != 0:
                nursery.start_soon(self._annotations, missing)
            if settings.download_images:
                with self._queue(run_id) as queue:
                    end = await self._images(queue)
                    waiting = await trio.to_thread.run_sync(queue.waiting)
        return self._end(end, missing, waiting)

    def _end(self, end: FeedEnd, missing: list[MetadataError], waiting: Waiting) -> RunEnd:
        error: OidlError | None = None
        if self._stop.disk_failure:
            hint = "make room, then run again: it goes on where it stopped"
            error = DiskError(self._stop.disk_failure.detail, hint=hint)
            code, outcome = ExitCode.DISK, "disk"
        elif self._stop.is_interrupted:
            code, outcome = ExitCode.INTERRUPTED, "interrupted"
        elif missing:
            error = missing[0]
            code, outcome = ExitCode.METADATA, "metadata"
        elif end is FeedEnd.LIMIT or waiting.images:
            code, outcome = ExitCode.UNFINISHED, "unfinished"
        else:
            code, outcome = ExitCode.SETTLED, "finished"
        return RunEnd(code, outcome, error, *waiting)

    async def _images(self, queue: Queue) -> FeedEnd:
        settings = self._settings
        claims = Claims()
        feed = Feed(queue, claims, self._stop, settings.retries, limit=settings.selection.limit, say=self._say)
        recorder = Recorder(self._state, claims, self._meter, self._stop, random.Random())
        processor = Processor(settings.layout, settings.originals, self._files)
        async with Hosts(settings.transfers, partial(new_client, settings.transfers, self._tls)) as hosts:
            pipeline = ImagePipeline(settings, hosts, processor, claims, self._meter, self._stop)
            return await pipeline.run(feed, recorder)

    async def _annotations(self, missing: list[MetadataError]) -> None:
        async def fetch() -> None:
            missing.extend(await self._metadata.fetch_annotations())

        await self._unless_stopped(fetch)

    async def _unless_stopped(self, work: Callable[[], Awaitable[object]]) -> bool:
        """Runs `work`, which has nothing worth finishing, until the first request to stop; False if there was one."""
        async with trio.open_nursery() as nursery:

            async def cancel() -> None:
                await self._stop.draining.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(cancel)
            await work()
            nursery.cancel_scope.cancel()
        return not self._stop.draining.is_set()

    @contextmanager
    def _queue(self, run_id: int) -> Iterator[Queue]:
        """What is left to do, on a reading connection of its own."""
        settings = self._settings
        db = open_reader(settings.state_db)
        try:
            selection = settings.selection
            queue = Queue(
                db,
                settings.wanted,
                run_id=run_id,
                max_tries=settings.retries.max_tries,
                uncounted=UNCOUNTED,
                subsets=selection.subsets,
                image_ids=read_image_ids(selection.image_ids) if selection.image_ids else None,
                again_before=datetime.now(UTC) if settings.originals.always_download else None,
            )
            if selection.image_ids:
                self._warn_of_unknown(*queue.unknown_ids())
            yield queue
        finally:
            db.close()

    def _warn_of_unknown(self, count: int, examples: tuple[str, ...]) -> None:
        if count:
            self._say(f"{count} of the chosen ImageIDs are not in the list: {', '.join(examples)}, …")

    def _open(self) -> int:
        ledger = self._state.ledger
        with ledger.transaction():
            ledger.register(self._settings.wanted)
            run_id = ledger.open_run(self._settings.as_json())
            directories = ledger.rendition_directories()
        self._sweep(directories)
        return run_id

    def _close(self, outcome: str, last: Statistics) -> None:
        with self._state.ledger.transaction():
            directories = self._state.ledger.rendition_directories()
            self._state.ledger.close_run(outcome)
        beat(self._state.ledger, last)
        self._sweep(directories)

    def _sweep(self, directories: Iterable[str]) -> None:
        """Removes what a killed run left half-made. Partly fetched archives stay: they are continued."""
        layout = self._settings.layout
        self._files.sweep(
            subset_directory(layout, subset, directory) for directory in directories for subset in self._version.subsets
        )
        remove_tree(self._settings.root_dir / UNPACKING)

    def _put_failures_back(self) -> int:
        """Makes the permanent failures that are to be tried again pending; returns how many those were."""
        selection = self._settings.selection
        return put_failures_back(
            self._state.db,
            self._settings.retries.failed or (),
            subsets=selection.subsets,
            image_ids=read_image_ids(selection.image_ids) if selection.image_ids else None,
        )

    def _unsettled(self) -> int:
        """About how many images there are to do; for the time left, not for decisions."""
        counts = read_counts(self._state.db)
        chosen = self._settings.selection.subsets or tuple(counts.by_subset)
        rows = [counts.by_subset[subset] for subset in chosen if subset in counts.by_subset]
        done = sum(row[Status.DONE] for row in rows)
        files = [counts.files.get(rendition.name, (0, 0))[0] for rendition in self._settings.wanted]
        left = sum(row[Status.PENDING] + row[Status.RETRY] for row in rows) + max(0, done - min(files, default=done))
        limit = self._settings.selection.limit
        return left if limit is None else min(left, limit)
