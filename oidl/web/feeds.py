"""Where the moments come from: the run whose page it is, or the database alone."""

import json
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import trio

from oidl.progress.statistics import Second
from oidl.state.browse import Filter, find_done
from oidl.state.counts import NOTHING_YET, Counts, read_counts, read_runs
from oidl.state.gallery import Card, cards, last_successes, last_tries
from oidl.state.lock import is_held
from oidl.state.plan import Value, read_plan
from oidl.web.database import Lookup
from oidl.web.images import card_json
from oidl.web.snapshot import about_json, in_a_line, resting_moment

_SHOWN = 100  # the latest tries
_RUNS = 50  # that are looked at for one with images
_WALL = 24
_NEW_PICTURES = 6  # a moment: a sample, where there are more
_HISTORY_S = 300
_FRESH_S = 0.9


class Source(Protocol):
    """Gives a moment as one line of JSON."""

    async def moment(self) -> str:
        """How it stands now."""


class RunMoments:
    """The moments of a run in another process, which gives one when `ask` is called; `receive` is told of each."""

    def __init__(self, ask: Callable[[], Awaitable[None]], lookup: Lookup, about: dict[str, Any]) -> None:
        self._ask = ask
        self._lookup = lookup
        self._about = about
        self._wall: deque[Card] = deque(maxlen=_WALL)
        self._newest = ""
        self._expires = 0.0
        self._is_asked = False
        self._news = trio.Event()

    async def moment(self) -> str:
        """The newest one; a newer one is asked for if that is about a second old."""
        if not self._newest or trio.current_time() >= self._expires:
            news = self._news
            if not self._is_asked:
                self._is_asked = True
                await self._ask()
            await news.wait()
        return self._newest

    async def receive(self, line: bytes) -> bool:
        """Takes a moment, with the newest pictures, of which a few at a time are looked up; whether it is the last."""
        now: dict[str, Any] = json.loads(line)
        shown = {card.image_id for card in self._wall}
        most = _NEW_PICTURES if self._wall else _WALL
        fresh: list[str] = []
        for success in now["successes"]:
            if success["id"] in shown or len(fresh) == most:
                break
            fresh.append(success["id"])
        if fresh:
            self._wall.extendleft(reversed(await self._lookup(cards, fresh) or []))
        self._newest = in_a_line(now | {"about": self._about, "pictures": [card_json(card) for card in self._wall]})
        is_last = now["outcome"] is not None
        self._expires = float("inf") if is_last else trio.current_time() + _FRESH_S
        self._is_asked = False
        self._news.set()
        self._news = trio.Event()
        return is_last


class AtRest:
    """The database of `root_dir` at `path`, which another process may be writing; its wall is a sample of the images.

    `plan_words` puts a plan in words.
    """

    def __init__(
        self, path: Path, lookup: Lookup, root_dir: Path, plan_words: Callable[[Mapping[str, Value]], str]
    ) -> None:
        self._path = path
        self._lookup = lookup
        self._root_dir = root_dir
        self._plan_words = plan_words
        self._wall: deque[Card] = deque(maxlen=_WALL)
        self._history: deque[Second] = deque(maxlen=_HISTORY_S)
        self._on_disk: tuple[float, int] | None = None

    async def moment(self) -> str:
        """Asks the database; rates are those that a run notes there."""
        counts = await self._lookup(read_counts) or NOTHING_YET
        is_running = is_held(self._path)
        self._note(counts, is_running)
        successes = await self._lookup(last_successes, _SHOWN) or ()
        tries = await self._lookup(last_tries, _SHOWN) or ()
        plan = await self._lookup(read_plan) or {}
        runs = await self._lookup(read_runs, _RUNS) or ()
        worked = next((run for run in runs if run.done or run.failed), None)
        await self._walk()
        now = resting_moment(counts, self._history, successes, tries, self._wall, is_running=is_running, worked=worked)
        return in_a_line(now | {"about": about_json(self._root_dir, counts.dataset_version, self._plan_words(plan))})

    async def _walk(self) -> None:
        most = 2 if self._wall else _WALL
        shown = {card.image_id for card in self._wall}
        found = await self._cards_from(f"{random.getrandbits(64):016x}", most)
        if len(found) < most:  # the list ends there
            found += await self._cards_from("", most)
        self._wall.extendleft([card for card in found if card.image_id not in shown][:most])

    async def _cards_from(self, start: str, most: int) -> tuple[Card, ...]:
        found = await self._lookup(find_done, Filter(), start, most)
        return found.cards if found else ()

    def _note(self, counts: Counts, is_running: bool) -> None:
        now, on_disk = time.monotonic(), sum(taken for _, taken in counts.files.values())
        before, self._on_disk = self._on_disk, (now, on_disk)
        if not is_running or counts.run is None or before is None:
            return
        written_per_s = max(0, on_disk - before[1]) / max(1.0, now - before[0])
        second = Second(round(counts.run.images_per_s), round(counts.run.bytes_per_s), round(written_per_s))
        self._history.append(second)
