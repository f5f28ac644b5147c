"""The images that a run is about: selected once, on a separate connection, and queried until the run ends.

They are selected before the first image is fed, so rows that change later
do not affect the selection. Database queries block, so they run in a thread.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import trio

from oidl.dataset.ids import read_image_ids
from oidl.forecast import Share
from oidl.model import Status, StatusCount
from oidl.pipeline.retry import UNCOUNTED
from oidl.pipeline.target import Target
from oidl.settings import Selection, Settings
from oidl.state.complete import ClassCount, count_by_class, count_complete, count_done
from oidl.state.connection import StateConnection, interruptible
from oidl.state.database import open_reader
from oidl.state.forecast import Demand, forecast_all, forecast_selected, new_files
from oidl.state.licenses import unmet_license
from oidl.state.queue import Queue
from oidl.state.requeue import requeue_failures
from oidl.state.selection import SelectedImages, select_images, selected_ids
from oidl.state.translate import translating_sqlite_errors
from oidl.text import counted

T = TypeVar("T")


class ImageSelection:
    """The images that a run is about, read through `reader`; all images until `select_images` is called."""

    _shares: Collection[Share] = ()

    def __init__(self, settings: Settings, reader: StateConnection) -> None:
        self._settings = settings
        self._reader = reader
        self._selected_images: SelectedImages | None = None
        self.target = Target()
        self.any_incomplete = True
        self._by_class: dict[str, ClassCount] = {}
        self._again_before: datetime | None = None  # if everything is downloaded again

    async def select_images(self, say: Callable[[str], None]) -> None:
        """Selects the images according to the settings, reports their number to `say`, and counts the complete ones."""
        selection = self._settings.selection
        self._selected_images = selected = await self.ask(partial(select_from_settings, self._reader, selection))
        if selected and selected.remark:
            say(selected.remark)
        if selected and selection.has_criteria:
            say(f"{counted(selected.images, 'image')} chosen")
            if unmet := await self.ask(partial(unmet_license, self._reader, selection.license, selected.images)):
                say(f"{unmet.why}; {unmet.hint}")
        await self.count_complete()

    async def count_complete(self) -> None:
        """Counts the images that are complete now, for the limits."""
        self.target = await self.ask(self._count_complete)

    async def ask(self, question: Callable[[], T]) -> T:
        """The result of `question`, a database query that runs in a thread; cancelling this interrupts SQLite."""
        return await trio.to_thread.run_sync(self._interruptible, question)

    def _interruptible(self, question: Callable[[], T]) -> T:
        with interruptible(self._reader, trio.from_thread.check_cancelled):
            return question()

    def queue(self, run_id: int) -> Queue:
        """The images that are left to do. If everything is downloaded again, it is what was done before this call."""
        settings = self._settings
        if settings.originals.always_download:
            self._again_before = datetime.now(UTC)
        return Queue(
            self._reader,
            settings.required,
            run_id=run_id,
            max_tries=settings.retries.max_tries,
            uncounted=UNCOUNTED,
            subsets=settings.selection.subsets,
            selected=self._selected_images,
            again_before=self._again_before,
            original_names=settings.originals.original_names,
        )

    def _count_complete(self) -> Target:
        """The slots under the limits; if everything is downloaded again, only images since then count as complete."""
        selection, originals, since = self._settings.selection, self._settings.originals, self._again_before
        counts_any = not originals.always_download or since is not None
        complete = 0
        if selection.limit and counts_any:
            complete = count_complete(
                self._reader,
                self._settings.required,
                originals.original_names,
                subsets=selection.subsets,
                are_selected=self._selected_images is not None,
                since=since,
            )
            self.any_incomplete = self._selected_images is not None or complete < count_done(
                self._reader, selection.subsets
            )
        if selection.limit_per_class is not None:
            by_class = count_by_class(self._reader, self._settings.required, originals.original_names, since=since)
            if not counts_any:
                by_class = {name: each._replace(complete=0) for name, each in by_class.items()}
            self._by_class = by_class
        complete_by_class = {name: each.complete for name, each in self._by_class.items()}
        return Target(selection.limit, complete, selection.limit_per_class, complete_by_class)

    def plan_counts(self, queue: Queue) -> tuple[list[StatusCount], dict[str, ClassCount]]:
        """The status counts of the images that the run is about, and the counts of each class.

        Both are empty if the run is about the whole list. If only a limit is given, the images that a run will take are
        unknown: complete ones count as done, the other done images as pending, and the rest by their status.
        """
        selection = self._settings.selection
        if self._selected_images:
            complete = self.target.complete_by_class
            return queue.plan_status_counts(), {
                name: each._replace(complete=complete[name]) for name, each in self._by_class.items()
            }
        if not selection.limit:
            return [], {}
        status_counts = queue.status_counts()
        others = sum(each.images for each in status_counts if each.status is Status.DONE) - self.target.complete
        rows = [each for each in status_counts if each.status is not Status.DONE]
        rows += [
            StatusCount("", Status.DONE, None, self.target.complete),
            StatusCount("", Status.PENDING, None, others),
        ]
        return rows, {}

    def left(self) -> int:
        """Roughly how many images are left to do; an estimate for the remaining time, not for decisions."""
        plan = forecast_selected if self._selected_images else forecast_all
        self._shares = plan(self._reader, self._settings.selection.subsets, demand_of(self._settings)).values()
        return self._left()

    def new_files(self) -> dict[str, int]:
        """Roughly how many new files each rendition needs; call `left` first."""
        return new_files(self._reader, self._shares, self._left(), self._settings.required)

    def _left(self) -> int:
        left = sum(share.images for share in self._shares)
        missing = self.target.missing()
        return left if missing is None else min(left, missing)

    def requeue_failures(self, db: StateConnection) -> int:
        """Makes the permanent failures that should be tried again pending in `db`; returns their number."""
        return requeue_failures(
            db,
            self._settings.retries.failed or (),
            subsets=self._settings.selection.subsets,
            image_ids=selected_ids(self._reader) if self._selected_images else None,
        )


def demand_of(settings: Settings) -> Demand:
    """What a run with these settings requires of its images."""
    originals = settings.originals
    return Demand(settings.required, originals.original_names, originals.always_download, settings.retries.failed)


def select_from_settings(db: StateConnection, selection: Selection) -> SelectedImages | None:
    """The images of `selection`, in a table of the connection `db`; None if it selects every image."""
    with translating_sqlite_errors(db.path):
        return select_images(db, selection, read_image_ids(selection.image_ids) if selection.image_ids else None)


@contextmanager
def open_selection(settings: Settings) -> Iterator[ImageSelection]:
    """An `ImageSelection` on a new reading connection, which is closed at the end."""
    with open_reader(settings.state_db) as reader:
        yield ImageSelection(settings, reader)
