"""One whole run: image lists, annotations and images, and how it ended.

Everything is composed here from a frozen `Settings`; `cli` adds the lock, the
signals and the printers around it.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import trio

from oidl.errors import DiskError, ExitCode, MetadataError, UsageError
from oidl.hints import command
from oidl.net.client import tls_context
from oidl.net.dns import cached_dns
from oidl.pipeline.annotations import AnnotationRequest
from oidl.pipeline.context import Context
from oidl.pipeline.durability import Durability
from oidl.pipeline.ending import RunEnd, run_end
from oidl.pipeline.feed import FeedEnd
from oidl.pipeline.images import ImageStages
from oidl.pipeline.inputs import Inputs
from oidl.pipeline.machines import ImageWork, Machines, this_machine
from oidl.pipeline.retry import MAX_DELAY_S
from oidl.pipeline.run_row import RunRow
from oidl.pipeline.run_uploads import RunUploads
from oidl.pipeline.selection import ImageSelection, open_selection
from oidl.pipeline.shards import RunShards
from oidl.pipeline.space import check_space
from oidl.state.annotation_filters import has_annotations
from oidl.state.queue import Queue, ScheduledRetries
from oidl.state.requeue import end_waits
from oidl.text import counted

_PASSES = 5  # over images that were lost from shards


class Run:
    """One `oidl run` on an open state database whose writer lock is held, which processes images on `machines`.

    `introduce` returns the first messages of the run; it is called in a thread, after the request has been checked.
    """

    def __init__(
        self,
        context: Context,
        introduce: Callable[[], Sequence[str]] = tuple,
        machines: Machines = this_machine,
    ) -> None:
        settings = context.settings
        self._context = context
        self._settings = settings
        self._state = context.state
        self._meter = context.meter
        self._stop = context.stop
        self._say = context.say
        self._introduce = introduce
        tls = tls_context()
        self._inputs = Inputs(context, tls, AnnotationRequest(is_explicit=settings.load_annotations))
        self._limits = self._inputs.limits
        self._row = RunRow(context.state, settings, context.version.subsets)
        self._shards = RunShards(
            context.state, settings.layout, settings.shards, settings.all_renditions, context.stop, context.say
        )
        self._uploads = RunUploads(context, self._shards, self._row)
        work = ImageWork(context, self._inputs, tls, self._row.token, self._shards, self._uploads.uploads)
        self._images = ImageStages(work, machines)
        self._durability = Durability(
            context.state, settings.layout, self._written_to, context.stop, context.say, threads=settings.threads
        )
        self._is_synced = False

    async def run(self) -> RunEnd:
        """Does everything that the settings request. Raises `OidlError` if nothing could be done at all.

        After a `UsageError`, such as an unknown class, the root has its earlier plan again.
        """
        await self._inputs.check()
        run_id = await self._state.run(self._row.open)
        outcome = "error"
        try:
            await self._stop.unless_draining(self._say_introduction)
            with cached_dns(self._settings.transfers.dns_timeout_s):
                end = await self._work(run_id)
            outcome = end.outcome
            return end
        except* UsageError:
            await self._state.run(self._row.restore_plan)
            raise
        finally:
            with trio.CancelScope(shield=True):
                if self._stop.cancelling.is_set():
                    await self._uploads.give_up_open()
                close = partial(self._row.close, is_synced=self._is_synced)
                await self._state.run(close, outcome, self._meter.statistics())

    async def _work(self, run_id: int) -> RunEnd:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._limits.watch, self._written_to())
            is_checked = True
            if self._settings.download_images:
                is_checked = await self._stop.unless_draining(self._restore_files)
            end = await self._fetch_all(run_id, nursery) if is_checked else self._end()
            nursery.cancel_scope.cancel()
        if not self._stop.is_interrupted and await self._stop.unless_cancelling(self._durability.sync):
            self._is_synced = not self._stop.disk_failure
            if self._stop.disk_failure and end.exit_code != ExitCode.DISK:
                return self._end()
        return end

    async def _restore_files(self) -> None:
        """Restores the rule that every row has its file, if an earlier run was cut off."""
        await self._durability.check_after_power_cut()
        await self._shards.restore()

    async def _fetch_all(self, run_id: int, background: trio.Nursery) -> RunEnd:
        """Fetches lists, annotations and images; tasks in `background` run meanwhile, and the caller cancels them."""
        settings = self._settings
        missing: list[MetadataError] = []
        if not await self._stop.unless_draining(self._uploads.begin):
            return self._end()
        if not await self._load_inputs(missing):
            return self._end()
        if settings.download_images:  # not earlier: a list is loaded in one transaction, on the same connection
            background.start_soon(self._durability.run)
            background.start_soon(self._shards.run)
            if self._uploads.uploads:
                background.start_soon(self._uploads.uploads.run)
        waiting, is_left, remark = ScheduledRetries(), False, ""
        with open_selection(settings) as selected:
            if settings.download_images:
                problem: list[DiskError] = []
                if not await self._stop.unless_draining(partial(self._prepare, selected, problem)):
                    return self._end()
                if problem:
                    return RunEnd(ExitCode.DISK, "disk", problem[0])
            async with trio.open_nursery() as nursery:
                if settings.download_metadata and settings.selection.limit != 0:
                    nursery.start_soon(self._collect, self._inputs.metadata.fetch, missing)
                if settings.download_images:
                    waiting, is_left, remark = await self._fetch_images(run_id, selected)
        if settings.loads_annotations and settings.selection.limit and not missing:
            await self._collect(self._inputs.annotations.load_for_done, missing)
        is_left = is_left or bool(waiting.images) or self._stop.is_cut_short
        return self._end(missing, waiting, is_left=is_left, remark=remark)

    async def _load_inputs(self, missing: list[MetadataError]) -> bool:
        """Loads the list, and annotations that are needed before the images; returns False if the run must stop."""
        settings, inputs = self._settings, self._inputs
        if settings.selection.classes and not await self._stop.unless_draining(inputs.annotations.load_classes):
            return False
        if settings.download_images and not await self._stop.unless_draining(inputs.lists.load):
            return False
        if settings.selection.label_types and not await self._stop.unless_draining(
            inputs.annotations.load_for_selection
        ):
            return False
        # Under a limit, the images are known only at the end. Samples of shards must have their annotations before.
        if settings.loads_annotations and not settings.selection.limit:
            return await self._collect(inputs.annotations.load_requested, missing)
        if settings.load_annotations and settings.selection.limit and self._shards.are_written:
            return await self._collect(inputs.annotations.load_for_list, missing)
        return True

    async def _collect(self, load: Callable[[], Awaitable[list[MetadataError]]], missing: list[MetadataError]) -> bool:
        """Runs `load` and adds the errors that it returns to `missing`; returns False if the run must stop."""

        async def collect() -> None:
            missing.extend(await load())

        return await self._stop.unless_draining(collect)

    async def _fetch_images(self, run_id: int, selected: ImageSelection) -> tuple[ScheduledRetries, bool, str]:
        """Fetches the images; returns those that wait for a retry, whether any are left to do, and a last message."""
        queue = selected.queue(run_id)
        self._meter.set_baseline(await selected.ask(queue.status_counts))
        await self._count_plan(selected, queue)
        if not selected.target.is_met and await selected.ask(queue.has_left):
            self._limits.begin_writing()
        if self._shards.are_written and not await self._state.run(has_annotations, self._state.db):
            self._say(
                "images in shards will have no boxes and labels, because none are loaded yet; to add them, use "
                f"--load-annotations, run {command('annotations load')} before a run, or {command('pack')} after it"
            )
        end = await self._process_images(queue, selected)
        waiting, is_left, remark = ScheduledRetries(), True, ""

        async def count() -> None:
            nonlocal waiting, is_left, remark
            if remark := await self._images.withdraw_streaks():
                await self._count_plan(selected, queue)
            target = selected.target
            is_left = end is not FeedEnd.NOTHING_LEFT and not target.is_met
            is_left = is_left and await selected.ask(queue.has_left)
            if not target.is_met:
                waiting = await selected.ask(partial(queue.scheduled_retries, target.short_classes(already_tried=True)))

        await self._stop.unless_cancelling(count)
        return waiting, is_left or self._uploads.are_left, remark

    async def _process_images(self, queue: Queue, selected: ImageSelection) -> FeedEnd:
        """Fetches the images and completes the shards; if images are lost from these, fetches those again."""
        self._shards.take_lost()  # what was found missing at the start is fetched now
        for _ in range(_PASSES):
            end = await self._images.run(queue, selected)
            await self._stop.unless_cancelling(self._finish_shards)
            if not (are_lost := self._shards.take_lost() > 0):
                break
            await selected.count_complete()  # also for a run that stops now: its limit is not met any more
            if self._stop.draining.is_set():
                break
        else:
            self._stop.limit_reached("images are lost from shards again and again")
        return FeedEnd.STOPPED if are_lost else end

    async def _finish_shards(self) -> None:
        """Seals the shards, and uploads them."""
        await self._shards.seal_all()
        await self._uploads.finish()

    async def _say_introduction(self) -> None:
        for text in await trio.to_thread.run_sync(self._introduce):
            self._say(text)

    async def _count_plan(self, selected: ImageSelection, queue: Queue) -> None:
        """Records the status counts of the images that the run is about."""
        status_counts, classes = await selected.ask(partial(selected.plan_counts, queue))
        if self._settings.selection.limit == 0 and not status_counts:
            return  # a run that only loads: the counts of the plan stay as they are
        await self._state.run(self._state.ledger.plan_counts, status_counts, classes)

    async def _prepare(self, selected: ImageSelection, problem: list[DiskError]) -> None:
        """Selects the images, and checks that they fit on the disk; adds the error to `problem` if they do not."""
        settings = self._settings
        await selected.select_images(self._say)
        await self._end_waits()
        if settings.retries.failed is not None and selected.target.is_met:
            self._say("no failures are retried, because there are enough images; use `--limit all` to lift the limit")
        elif settings.retries.failed is not None:
            count = await self._state.run(selected.requeue_failures, self._state.db)
            self._say(f"{counted(count, 'failure')} will be retried" if count else "no failures to retry")
        self._meter.remaining = await selected.ask(selected.left)
        if settings.selection.limit:
            self._meter.goal = selected.target.complete + self._meter.remaining
        if settings.limits.check_space:
            if self._meter.remaining:
                self._limits.begin_writing()
            files = await selected.ask(selected.new_files)
            try:
                await self._state.run(check_space, self._state.db, settings, self._context.version, files)
            except DiskError as error:
                problem.append(error)

    def _end(
        self,
        missing: Sequence[MetadataError] = (),
        waiting: ScheduledRetries | None = None,
        *,
        is_left: bool = True,
        remark: str = "",
    ) -> RunEnd:
        end = run_end(self._stop, missing, waiting or ScheduledRetries(), is_left=is_left)
        if end.outcome == "limit":
            self._say(f"stopped: {self._stop.limit}")
        if remark:
            self._say(remark)
        return end

    async def _end_waits(self) -> None:
        retries = self._settings.retries
        longest_s = self._settings.transfers.max_retry_after_s + MAX_DELAY_S + 10 * retries.confirm_after_s
        now = retries.now or retries.failed is not None
        await self._state.run(partial(end_waits, self._state.db, longest_s, all_of_them=now))

    def _written_to(self) -> list[Path]:
        """Directories that this run writes to or earlier runs wrote to, at least one on each filesystem."""
        return [self._settings.root_dir, self._settings.state_db.parent, *self._row.homes()]
