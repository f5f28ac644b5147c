"""Where the page's snapshots come from: a run in another process, or the database."""

import json
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import trio

from oidl.progress.snapshot import Json
from oidl.progress.statistics import Second
from oidl.report.describe import plan_words
from oidl.state.counts import NOTHING_YET, Counts, read_counts, read_runs
from oidl.state.explore import Filter, find_images
from oidl.state.image_lookup import ImageSummary, image_summaries, last_successes, recent_failures
from oidl.state.lock import is_held
from oidl.state.plan import Value, read_plan
from oidl.web.database import Database
from oidl.web.images import summary_json
from oidl.web.snapshot import about_json, database_page, in_a_line
from oidl.web.text import with_text

_LISTED = 100  # successes and failed tries, of each
_RUNS = 50  # the last one of these that settled images gives the mean rates
_PICTURES = 24
_NEW_PICTURES = 6  # per snapshot; a sample if there are more
_HISTORY_S = 300
_FRESH_S = 0.9


class SnapshotSource(Protocol):
    """Gives the page its snapshots."""

    async def snapshot(self) -> str:
        """The current snapshot, as one line of JSON."""


class RunFeed:
    """The snapshots of a run in another process: `ask` requests one, and each that arrives goes to `receive`."""

    def __init__(self, ask: Callable[[], Awaitable[None]], database: Database, about: Json) -> None:
        self._ask = ask
        self._database = database
        self._about = about
        self._pictures: deque[ImageSummary] = deque(maxlen=_PICTURES)
        self._latest = ""
        self._expires = 0.0
        self._is_requested = False
        self._arrived = trio.Event()

    async def snapshot(self) -> str:
        """The latest one, not older than about a second."""
        if not self._latest or trio.current_time() >= self._expires:
            arrived = self._arrived
            if not self._is_requested:
                self._is_requested = True
                await self._ask()
            await arrived.wait()
        return self._latest

    async def receive(self, line: bytes) -> bool:
        """Takes one snapshot and adds the latest pictures, a few per snapshot. Returns whether it is the final one."""
        now: Json = json.loads(line)
        known = {card.image_id for card in self._pictures}
        most = _NEW_PICTURES if self._pictures else _PICTURES
        new: list[str] = []
        for success in now["successes"]:
            if success["image_id"] in known or len(new) == most:
                break
            new.append(success["image_id"])
        if new:
            self._pictures.extendleft(reversed(await self._database(image_summaries, new) or []))
        pictures = [summary_json(card) for card in self._pictures]
        self._latest = in_a_line(with_text(now) | {"about": self._about, "pictures": pictures})
        is_final = not now["is_running"]
        self._expires = float("inf") if is_final else trio.current_time() + _FRESH_S
        self._is_requested = False
        self._arrived.set()
        self._arrived = trio.Event()
        return is_final


class DatabaseFeed:
    """Snapshots of the database of `root_dir` at `path`, which another process may be writing.

    The pictures are a sample of all images. `plan_options` gives a plan as options.
    """

    def __init__(
        self, path: Path, database: Database, root_dir: Path, plan_options: Callable[[Mapping[str, Value]], str]
    ) -> None:
        self._path = path
        self._database = database
        self._root_dir = root_dir
        self._plan_options = plan_options
        self._pictures: deque[ImageSummary] = deque(maxlen=_PICTURES)
        self._history: deque[Second] = deque(maxlen=_HISTORY_S)
        self._on_disk: tuple[float, int] | None = None

    async def snapshot(self) -> str:
        """Reads the database; the rates are those that a run records there."""
        counts = await self._database(read_counts) or NOTHING_YET
        is_running = is_held(self._path)
        self._note(counts, is_running)
        successes = await self._database(last_successes, _LISTED) or ()
        tries = await self._database(recent_failures, _LISTED) or ()
        plan = await self._database(read_plan) or {}
        runs = await self._database(read_runs, _RUNS) or ()
        worked = next((run for run in runs if run.done or run.failed), None)
        await self._sample()
        now = database_page(
            counts, datetime.now(UTC), self._history, successes, tries, is_running=is_running, worked=worked
        )
        about = about_json(self._root_dir, counts.dataset_version, self._plan_options(plan))
        pictures = [summary_json(card) for card in self._pictures]
        plan_text = plan_words(counts.plan) if counts.plan else ""
        return in_a_line(with_text(now, plan_text) | {"about": about, "pictures": pictures})

    async def _sample(self) -> None:
        most = 2 if self._pictures else _PICTURES
        known = {card.image_id for card in self._pictures}
        found = await self._cards_from(f"{random.getrandbits(64):016x}", most)
        if len(found) < most:  # the list ends there; go on at its beginning
            found += await self._cards_from("", most)
        self._pictures.extendleft([card for card in found if card.image_id not in known][:most])

    async def _cards_from(self, start: str, most: int) -> tuple[ImageSummary, ...]:
        found = await self._database(find_images, Filter(), start, most)
        return found.image_summaries if found else ()

    def _note(self, counts: Counts, is_running: bool) -> None:
        now, on_disk = time.monotonic(), sum(taken for _, taken in counts.files.values())
        before, self._on_disk = self._on_disk, (now, on_disk)
        if not is_running or counts.run is None or before is None:
            return
        written_per_s = max(0, on_disk - before[1]) / max(1.0, now - before[0])
        second = Second(round(counts.run.images_per_s), round(counts.run.bytes_per_s), round(written_per_s))
        self._history.append(second)
