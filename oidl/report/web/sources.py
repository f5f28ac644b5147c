"""Where the moments come from: the meter of a run in this process, or the database alone."""

import json
import random
import time
from collections import deque
from pathlib import Path
from typing import Protocol

from oidl.progress.meter import SHOWN, Meter
from oidl.progress.statistics import Second
from oidl.report.web.lookup import Lookup
from oidl.report.web.moment import live_moment, resting_moment
from oidl.state.counts import NOTHING_YET, Counts, read_counts
from oidl.state.gallery import Card, cards, cards_done_after, last_tries
from oidl.state.lock import is_held

_WALL = 24
_NEW_PICTURES = 6  # a moment: a sample, where there are more
_HISTORY_S = 300


class Source(Protocol):
    """Gives a moment as one line of JSON."""

    async def moment(self) -> str:
        """How it stands now."""


class LiveRun:
    """The run whose `meter` this is; `outcome` is set when it ends."""

    def __init__(self, meter: Meter, lookup: Lookup) -> None:
        self._meter = meter
        self._lookup = lookup
        self._wall: deque[Card] = deque(maxlen=_WALL)
        self.outcome: str | None = None

    async def moment(self) -> str:
        """The newest pictures are looked up here, a few at a time."""
        now = self._meter.statistics()
        shown = {card.image_id for card in self._wall}
        most = _NEW_PICTURES if self._wall else _WALL
        fresh: list[str] = []
        for success in now.successes:
            if success.image_id in shown or len(fresh) == most:
                break
            fresh.append(success.image_id)
        if fresh:
            self._wall.extendleft(reversed(await self._lookup(cards, fresh) or []))
        return _line(live_moment(now, self._wall, outcome=self.outcome))


class AtRest:
    """The database at `path`, which another process may be writing; its wall is a sample of what is there."""

    def __init__(self, path: Path, lookup: Lookup) -> None:
        self._path = path
        self._lookup = lookup
        self._wall: deque[Card] = deque(maxlen=_WALL)
        self._history: deque[Second] = deque(maxlen=_HISTORY_S)
        self._on_disk: tuple[float, int] | None = None

    async def moment(self) -> str:
        """Asks the database; rates are those that the run in progress notes there."""
        counts = await self._lookup(read_counts) or NOTHING_YET
        is_running = is_held(self._path)
        self._note(counts, is_running)
        tries = await self._lookup(last_tries, SHOWN) or ()
        await self._walk()
        return _line(resting_moment(counts, self._history, tries, self._wall, is_running=is_running))

    async def _walk(self) -> None:
        most = 2 if self._wall else _WALL
        shown = {card.image_id for card in self._wall}
        found = await self._lookup(cards_done_after, f"{random.getrandbits(64):016x}", most) or []
        if len(found) < most:  # the list ends there, or most of it is yet to come
            found += await self._lookup(cards_done_after, "", most) or []
        self._wall.extendleft([card for card in found if card.image_id not in shown][:most])

    def _note(self, counts: Counts, is_running: bool) -> None:
        now, on_disk = time.monotonic(), sum(taken for _, taken in counts.files.values())
        before, self._on_disk = self._on_disk, (now, on_disk)
        if not is_running or counts.run is None or before is None:
            return
        written_per_s = max(0, on_disk - before[1]) / max(1.0, now - before[0])
        second = Second(round(counts.run.images_per_s), round(counts.run.bytes_per_s), round(written_per_s))
        self._history.append(second)


def _line(moment: dict[str, object]) -> str:
    return json.dumps(moment, ensure_ascii=True, separators=(",", ":"))
