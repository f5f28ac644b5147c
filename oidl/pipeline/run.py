"""One whole run: lists, annotations and images, and how it ended.

Everything is composed here from a frozen `Settings`; `cli` adds the lock, the
signals and the printers around it.
"""

import random
import secrets
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import trio

from oidl.dataset.ids import read_image_ids
from oidl.dataset.published import Version
from oidl.errors import DiskError, ExitCode, MetadataError, OidlError
from oidl.net.client import new_client, tls_context
from oidl.net.connections import Connections
from oidl.net.dns import cached_dns
from oidl.net.permits import Permits
from oidl.net.throttle import Throttle
from oidl.net.transfer import Downloader
from oidl.node.node import Node
from oidl.node.process import Processor
from oidl.node.sources import Sources
from oidl.node.stop import Stop
from oidl.pipeline.annotations import AnnotationLoader
from oidl.pipeline.bugs import find_tracebacks
from oidl.pipeline.durability import Durability
from oidl.pipeline.feed import Claims, Feed, FeedEnd
from oidl.pipeline.limits import RunLimits, streak_text
from oidl.pipeline.metadata import UNPACKING, Metadata
from oidl.pipeline.needed import needed_files
from oidl.pipeline.record import Recorder, beat
from oidl.pipeline.retry import MAX_DELAY_S, RULES
from oidl.pipeline.selected import Selected, choose_images, open_selected
from oidl.pipeline.space import check_space
from oidl.pipeline.streak import ONSET
from oidl.pipeline.writer import StateWriter
from oidl.progress.meter import Meter
from oidl.progress.statistics import Statistics
from oidl.settings import Settings
from oidl.state.choice import check_where, forget, words
from oidl.state.queue import Queue, Waiting
from oidl.state.requeue import end_waits, put_back, put_streak_back
from oidl.storage.atomic import AtomicWriter
from oidl.storage.durability import boot_id, is_alive
from oidl.storage.files import Files
from oidl.storage.layout import subset_directory
from oidl.storage.sweep import remove_tree
from oidl.text import counted

_NO_RETRIES = Waiting()


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended: the exit code, one word for `run.outcome`, and what is left for later.

    `is_cut` if it was asked twice to stop.
    """

    exit_code: ExitCode
    outcome: str
    error: OidlError | None = None
    waiting: int = 0
    next_due: datetime | None = None
    last_due: datetime | None = None
    is_cut: bool = False


class Run:
    """One `oidl run` on an open state database whose writer lock is held.

    `introduce`, called in a thread when all that was asked for is known to be possible, gives what is said first.
    """

    def __init__(
        self,
        settings: Settings,
        version: Version,
        state: StateWriter,
        meter: Meter,
        stop: Stop,
        say: Callable[[str], None],
        introduce: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._introduce = introduce
        self._settings = settings
        self._version = version
        self._state = state
        self._meter = meter
        self._stop = stop
        self._say = say
        self._tls = tls_context()
        self._limits = RunLimits(settings.limits, meter, stop)
        self._remark = ""
        self._throttle = Throttle(settings.transfers.max_bytes_per_s)
        self._metadata = Metadata(
            settings, version, state, self._tls, meter, say, self._arrived, self._limits.begin_writing
        )
        self._token = secrets.token_hex(4)
        self._files = AtomicWriter(self._token)
        self._durability = Durability(state, settings.layout, self._written_to, stop, say, threads=settings.threads)
        self._directories: list[str] = []
        self._is_synced = False
        self._loader = AnnotationLoader(settings, version, self._metadata, state, meter, say)

    async def run(self) -> RunEnd:
        """Does all that the settings ask for. Raises `OidlError` where nothing could be done at all."""
        outcome = "error"
        try:
            end = await self._run()
            outcome = end.outcome
            return end
        finally:
            self._meter.ended(outcome)

    async def _run(self) -> RunEnd:
        # What was asked for and cannot be is said before anything is changed.
        missing = await self._metadata.find_missing()
        selection = self._settings.selection
        check_where(self._state.db, selection.where)
        if selection.image_ids:
            await trio.to_thread.run_sync(deque, read_image_ids(selection.image_ids), 0)
        await self._state.run(needed_files, self._state.db, self._version, selection)
        is_listed = not (missing and self._settings.download_images)
        if self._settings.annotations_only and is_listed and (already := self._loader.already_loaded()):
            self._say(already)
            return RunEnd(ExitCode.SETTLED, "finished")
        run_id = await self._state.run(self._open)
        outcome = "error"
        try:
            await self._stop.unless_draining(self._say_first)
            with cached_dns(self._settings.transfers.dns_timeout_s):
                end = await self._work(run_id)
            outcome = end.outcome
            return end
        finally:
            with trio.CancelScope(shield=True):
                await self._state.run(self._close, outcome, self._meter.statistics())

    async def _work(self, run_id: int) -> RunEnd:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._limits.watch, self._written_to())
            is_checked = True
            if self._settings.download_images:
                is_checked = await self._stop.unless_draining(self._durability.check_after_power_cut)
            end = await self._bring(run_id, nursery) if is_checked else self._end(FeedEnd.STOPPED)
            nursery.cancel_scope.cancel()
        if not self._stop.is_interrupted and await self._stop.unless_cancelling(self._durability.sync):
            self._is_synced = not self._stop.disk_failure
            if self._stop.disk_failure and end.exit_code != ExitCode.DISK:
                return self._end(FeedEnd.STOPPED)
        return end

    async def _bring(self, run_id: int, beside: trio.Nursery) -> RunEnd:
        """Brings all that is wanted; what goes on as long as images come runs in `beside`, which is cancelled then."""
        settings = self._settings
        missing: list[MetadataError] = []
        end, waiting, is_left = FeedEnd.NOTHING_LEFT, Waiting(), False
        # With a limit it is known after the images which those are.
        is_loaded_before = settings.loads_annotations and (settings.annotations_only or not settings.selection.limit)
        for is_wanted, load in (
            (settings.download_images, self._metadata.load_images),
            (settings.selection.label_types, self._loader.load_for_choice),
            (is_loaded_before, partial(self._load_asked_for, missing)),
        ):
            if is_wanted and not await self._stop.unless_draining(load):
                return self._end(FeedEnd.STOPPED)
        if settings.download_images:  # not earlier: a list is loaded in one transaction, on the same connection
            beside.start_soon(self._durability.run)
        if settings.annotations_only:
            return self._end(end, missing)
        with open_selected(settings) as selected:
            problem: list[DiskError] = []
            if settings.download_images and not await self._stop.unless_draining(
                partial(self._prepare, selected, problem)
            ):
                return self._end(FeedEnd.STOPPED)
            if problem:
                return RunEnd(ExitCode.DISK, "disk", problem[0])
            async with trio.open_nursery() as nursery:
                if settings.download_metadata and settings.selection.limit != 0:
                    nursery.start_soon(self._annotations, missing)
                if settings.download_images:
                    queue, target = selected.queue(run_id), selected.target
                    self._meter.stands(await selected.ask(queue.standing))
                    await self._count_plan(selected, queue)
                    if not target.is_met and await selected.ask(queue.has_left):
                        self._limits.begin_writing()
                    end = await self._images(queue, selected)
                    is_left = True

                    async def look() -> None:
                        nonlocal waiting, is_left
                        if await self._put_streak_back():
                            await self._count_plan(selected, queue)
                        is_left = end is not FeedEnd.NOTHING_LEFT and not target.is_met
                        is_left = is_left and await selected.ask(queue.has_left)
                        if not target.is_met:
                            short = target.short_classes(again=True)
                            waiting = await selected.ask(partial(queue.waiting, short))

                    await self._stop.unless_cancelling(look)
        if settings.loads_annotations and settings.selection.limit and not missing:
            await self._stop.unless_draining(partial(self._load_for_done, missing))
        is_left = is_left or bool(waiting.images) or self._stop.is_cut_short
        return self._end(end, missing, waiting, is_left=is_left)

    async def _say_first(self) -> None:
        for text in await trio.to_thread.run_sync(self._introduce):
            self._say(text)

    async def _count_plan(self, selected: Selected, queue: Queue) -> None:
        """Notes how the images stand that the run is about."""
        standing, classes = await selected.ask(partial(selected.plan_counts, queue))
        await self._state.run(self._state.ledger.plan_counts, standing, classes)

    async def _put_streak_back(self) -> bool:
        """Where everything failed alike, takes back what was made of the images that did; False if nothing did."""
        streaks = [each for each in self._limits.streaks() if RULES[each.reason].tries]
        due = datetime.now(UTC) + timedelta(seconds=self._settings.retries.confirm_after_s)
        count = 0
        for each in streaks:
            span = (each.since - ONSET, each.until + ONSET)
            count += await self._state.run(put_streak_back, self._state.db, each.reason, span, due)
        streak = self._limits.streak()
        if streak and RULES[streak.reason].tries:
            self._stop.limit_reached(streak_text(streak))
        if streaks:
            what = counted(count, "image") if count else "images"
            self._remark = (
                f"{what} that failed alike will be retried; to accept such failures, use --max-failure-rate 2"
            )
        return bool(streaks)

    async def _prepare(self, selected: Selected, problem: list[DiskError]) -> None:
        """Chooses the images, and looks whether there is room for them; adds to `problem` if there is not."""
        settings = self._settings
        await selected.choose(self._say)
        await self._end_waits()
        if settings.retries.failed is not None and selected.target.is_met:
            self._say("no failure is tried again, as there are enough images; `--limit all` lifts the limit")
        elif settings.retries.failed is not None:
            count = await self._state.run(selected.put_failures_back, self._state.db)
            self._say(f"{counted(count, 'failure')} will be retried" if count else "no failures to retry")
        self._meter.remaining = await selected.ask(selected.left)
        if settings.selection.limit:
            self._meter.goal = selected.target.had + self._meter.remaining
        if settings.limits.check_space:
            if self._meter.remaining:
                self._limits.begin_writing()
            files = await selected.ask(selected.new_files)
            try:
                await self._state.run(check_space, self._state.db, settings, files)
            except DiskError as error:
                problem.append(error)

    def _end(
        self,
        end: FeedEnd,
        missing: Sequence[MetadataError] = (),
        waiting: Waiting = _NO_RETRIES,
        *,
        is_left: bool = True,
    ) -> RunEnd:
        error: OidlError | None = None
        if self._stop.disk_failure:
            error = DiskError(self._stop.disk_failure.detail, hint=self._stop.disk_failure.hint)
            code, outcome = ExitCode.DISK, "disk"
        elif self._stop.bug:
            error = OidlError(self._stop.bug, hint=find_tracebacks())
            code, outcome = ExitCode.BUG, "bug"
        elif self._stop.is_interrupted:
            code, outcome = ExitCode.INTERRUPTED, "interrupted"
        elif self._stop.limit and is_left:
            self._say(f"stopped: {self._stop.limit}")
            code, outcome = ExitCode.UNFINISHED, "limit"
        elif missing:
            error = missing[0]
            code, outcome = ExitCode.METADATA, "metadata"
        elif waiting.images:
            code, outcome = ExitCode.UNFINISHED, "unfinished"
        else:
            code, outcome = ExitCode.SETTLED, "finished"
        if self._remark:
            self._say(self._remark)
        return RunEnd(code, outcome, error, *waiting, is_cut=self._stop.cancelling.is_set())

    async def _images(self, queue: Queue, selected: Selected) -> FeedEnd:
        settings = self._settings
        claims = Claims(selected.target)
        feed = Feed(queue, claims, self._stop, settings.retries, say=self._say, any_incomplete=selected.any_incomplete)
        recorder = Recorder(
            self._state,
            claims,
            self._meter,
            self._stop,
            random.Random(),
            confirm_after_s=settings.retries.confirm_after_s,
            on_news=self._limits.count_outcome,
        )
        store = Files(settings.layout, self._files, settings.originals.directory, self._claim)
        processor = Processor(store, settings.originals, settings.imaging, self._before_replace)
        sources = Sources(settings.originals.sources, self._version.mirrors, settings.transfers.max_image_bytes)
        transfers = settings.transfers
        permits = Permits(
            transfers,
            self._version.providers,
            await self._state.run(self._state.ledger.earlier_paces),
            say=self._say,
            on_throttled=self._meter.throttled,
        )
        self._meter.paced_by(permits.paces)
        client = partial(new_client, transfers, self._tls)
        async with Connections(transfers.max_total_connections, client) as connections:
            downloader = Downloader(permits, connections, transfers, self._arrived)
            node = Node(
                downloader,
                processor,
                sources,
                self._stop,
                self._meter,
                max_wait_s=settings.retries.max_wait_s,
                threads=settings.threads,
            )
            return await node.run(feed, recorder) or FeedEnd.STOPPED

    async def _end_waits(self) -> None:
        retries = self._settings.retries
        longest_s = self._settings.transfers.max_retry_after_s + MAX_DELAY_S + 10 * retries.confirm_after_s
        now = retries.now or retries.failed is not None
        await self._state.run(partial(end_waits, self._state.db, longest_s, all_of_them=now))

    def _before_replace(self, files: list[tuple[str, str]]) -> None:
        """Takes away the rows of files that are about to be replaced; in a validator's thread."""
        image_ids = {image_id for image_id, _ in files}
        trio.from_thread.run(self._state.run, put_back, self._state.db, files, image_ids)

    def _claim(self, name: str, image_id: str) -> bool:
        """Whether files of an image may have this name; in a validator's thread."""
        return trio.from_thread.run(self._state.run, self._state.ledger.claim_name, name, image_id)

    def _written_to(self) -> list[Path]:
        """Directories of all filesystems that this run writes to, and that earlier ones wrote to."""
        settings = self._settings
        return [settings.root_dir, settings.state_db.parent, *self._homes()]

    def _homes(self) -> Iterator[Path]:
        """Where files of renditions are."""
        for directory in self._directories:
            for subset in self._version.subsets:
                yield subset_directory(self._settings.layout, subset, directory)

    async def _arrived(self, count: int) -> None:
        self._meter.read(count)
        self._limits.count_bytes()
        await self._throttle.spend(count)

    async def _annotations(self, missing: list[MetadataError]) -> None:
        async def fetch() -> None:
            missing.extend(await self._metadata.fetch_annotations())

        await self._stop.unless_draining(fetch)

    async def _load_for_done(self, missing: list[MetadataError]) -> None:
        missing += await self._loader.load_for_done()

    async def _load_asked_for(self, missing: list[MetadataError]) -> None:
        """Loads annotations; of the chosen images, where more than subsets were chosen. Adds to `missing`."""
        if self._settings.load_every_annotation:
            missing += await self._loader.load_asked_for(None)
            return
        selection = self._settings.selection
        if selection.limit and not self._settings.annotation_files:
            await self._load_for_done(missing)
            return
        try:
            chosen = await self._state.run(choose_images, self._state.db, selection)
            if chosen and chosen.remark and self._settings.annotations_only:
                self._say(chosen.remark)
            which = await self._state.run(words, self._state.db, selection) if chosen else None
            missing += await self._loader.load_asked_for(which)
        finally:
            with trio.CancelScope(shield=True):
                await self._state.run(forget, self._state.db)

    def _open(self) -> int:
        ledger = self._state.ledger
        with ledger.transaction():
            ledger.register(self._settings.every)
            run_id = ledger.open_run(self._settings.as_json(), token=self._token, boot_id=boot_id())
            if self._settings.plan:
                ledger.plan(self._settings.plan)
            self._directories = ledger.rendition_directories()
        if self._settings.originals.always_download:
            # A row is taken away before its file is replaced: a power cut must not bring it back.
            self._state.db.execute("PRAGMA synchronous = FULL")
        self._sweep()
        return run_id

    def _close(self, outcome: str, last: Statistics) -> None:
        beat(self._state.ledger, last)
        with self._state.ledger.transaction():
            self._state.ledger.close_run(outcome, is_synced=self._is_synced)
        self._sweep()

    def _sweep(self) -> None:
        """Removes what a killed run left half-made. Partly fetched archives stay: they are continued."""
        self._files.sweep(self._homes(), self._state.ledger.ended_tokens(boot_id(), is_alive))
        remove_tree(self._settings.root_dir / UNPACKING)
