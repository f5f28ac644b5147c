"""One whole run: lists, annotations and images, and how it ended.

Everything is composed here from a frozen `Settings`; `cli` adds the lock, the
signals and the printers around it.
"""

import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import trio

from oidl.dataset.ids import read_image_ids
from oidl.dataset.published import Version
from oidl.errors import DiskError, ExitCode, MetadataError, OidlError
from oidl.model import Status
from oidl.net.client import new_client, tls_context
from oidl.net.dns import cached_dns
from oidl.net.hosts import Hosts
from oidl.net.throttle import Throttle
from oidl.pipeline.feed import Claims, Feed, FeedEnd
from oidl.pipeline.images import ImagePipeline
from oidl.pipeline.limits import too_full, watch_limits
from oidl.pipeline.metadata import UNPACKING, Metadata
from oidl.pipeline.process import Processor
from oidl.pipeline.record import Recorder, beat
from oidl.pipeline.retry import UNCOUNTED
from oidl.pipeline.space import check_space
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
from oidl.storage.space import filesystems
from oidl.storage.sweep import remove_tree

_NO_RETRIES = Waiting()


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
        self._throttle = Throttle(settings.transfers.max_bytes_per_s)
        self._metadata = Metadata(settings, version, state, self._tls, say, self._arrived)
        self._files = AtomicWriter(state.ledger.token())
        self._chosen: int | None = None

    async def run(self) -> RunEnd:
        """Does all that the settings ask for. Raises `OidlError` where nothing could be done at all."""
        # What was asked for and cannot be is said before anything is changed.
        self._metadata.missing_subsets()
        chosen = self._settings.selection.image_ids
        self._chosen = sum(1 for _ in read_image_ids(chosen)) if chosen else None
        run_id = await self._state.run(self._open)
        outcome = "error"
        try:
            with cached_dns(self._settings.transfers.dns_timeout_s):
                end = await self._work(run_id)
            outcome = end.outcome
            return end
        finally:
            with trio.CancelScope(shield=True):
                await self._state.run(self._close, outcome, self._meter.statistics())

    async def _work(self, run_id: int) -> RunEnd:
        if failure := too_full(self._settings.limits, filesystems(self._written_to()).values()):
            self._stop.disk_is_full(failure)
            return self._end(FeedEnd.STOPPED)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch_limits, self._settings.limits, self._written_to(), self._meter, self._stop)
            end = await self._bring(run_id)
            nursery.cancel_scope.cancel()
        return end

    async def _bring(self, run_id: int) -> RunEnd:
        settings = self._settings
        if settings.download_images:
            if not await self._unless_stopped(self._metadata.load_images):
                return self._end(FeedEnd.STOPPED)
            if settings.retries.failed is not None:
                self._say(f"{await self._state.run(self._put_failures_back):,} failures are back in the queue")
            self._meter.remaining = await self._state.run(self._unsettled)
            if settings.limits.check_space:
                try:
                    await self._state.run(check_space, self._state.db, settings, self._meter.remaining)
                except DiskError as error:
                    return RunEnd(ExitCode.DISK, "disk", error)
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

    def _end(
        self,
        end: FeedEnd,
        missing: Sequence[MetadataError] = (),
        waiting: Waiting = _NO_RETRIES,
    ) -> RunEnd:
        error: OidlError | None = None
        if self._stop.disk_failure:
            hint = "make room, then run again: it goes on where it stopped"
            error = DiskError(self._stop.disk_failure.detail, hint=hint)
            code, outcome = ExitCode.DISK, "disk"
        elif self._stop.is_interrupted:
            code, outcome = ExitCode.INTERRUPTED, "interrupted"
        elif self._stop.limit:
            self._say(f"stopped: {self._stop.limit}")
            code, outcome = ExitCode.UNFINISHED, "limit"
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
        processor = Processor(settings.layout, settings.originals, self._files, settings.imaging)
        earlier = await self._state.run(self._state.ledger.earlier_paces)
        client = partial(new_client, settings.transfers, self._tls)
        async with Hosts(settings.transfers, client, self._version.providers, earlier, say=self._say) as hosts:
            self._meter.paces = hosts.paces
            pipeline = ImagePipeline(settings, hosts, self._arrived, processor, claims, self._meter, self._stop)
            return await pipeline.run(feed, recorder)

    def _written_to(self) -> list[Path]:
        """Directories of all filesystems that this run writes to."""
        settings = self._settings
        return [
            settings.root_dir,
            settings.state_db.parent,
            *(settings.root_dir / rendition.directory for rendition in settings.wanted),
        ]

    async def _arrived(self, count: int) -> None:
        self._meter.read(count)
        await self._throttle.spend(count)

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
        bounds = (left, self._settings.selection.limit, self._chosen)
        return min(bound for bound in bounds if bound is not None)
