"""Statistics over all rows: speed over time, sizes of images, hosts and licences.

Every figure is one pass over a table, grouped by few values, so memory does not
grow with the rows; nine million of them take a minute or two. Each pass is a
separate read, because a long one keeps a run from emptying its WAL.
"""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from oidl.state.counts import RunRow, read_runs

SIZE_CLASSES = tuple(digit * 10**power for power in range(3, 8) for digit in (1, 2, 5))
"""Bounds of the classes of file sizes, in bytes; the last class has no upper bound."""

SIDE_CLASS = 256
"""The width of a class of side lengths, in pixels of the longer side."""

SIDE_CLASSES = 25
"""The number of such classes; the last has no upper bound."""

_SLICES = 240  # the maximum for any times: clocks jump, and people edit rows
_HOSTS = 1_000

_DAY_S = 86_400
_SPANS = (1, 10, 60, 600, 3_600, _DAY_S)  # seconds; longer ones are whole days
_EPOCH = datetime.fromtimestamp(0, UTC)
_YEARS = "BETWEEN 1721425.5 AND 5373484.499999999"  # Julian days of the years 1 to 9999, which Python supports


@dataclass(frozen=True, slots=True)
class TimeBucket:
    """The outcomes in a span of time that began `at`."""

    at: datetime
    done: int
    failed: int
    bytes: int


@dataclass(frozen=True, slots=True)
class HostStats:
    """The traffic of one host: `images` with `bytes` in total, in `transfer_s` seconds of transfers; `failed_tries`."""

    host: str
    images: int = 0
    bytes: int = 0
    transfer_s: float = 0.0
    failed_tries: int = 0

    @property
    def bytes_per_s(self) -> float | None:
        """The mean speed of one transfer; None if unknown."""
        return self.bytes / self.transfer_s if self.transfer_s else None


@dataclass(frozen=True, slots=True)
class Aggregates:
    """Everything that requires a pass over all rows.

    `sizes` counts the images that are done by `SIZE_CLASSES` of the downloaded
    bytes (the first class is below the first bound), `sides` by their longer side
    in classes of `SIDE_CLASS` pixels. `licenses` maps the URL of a licence to its
    number of images that are done.
    """

    slice_s: int
    slices: tuple[TimeBucket, ...]
    sizes: tuple[int, ...]
    sides: tuple[int, ...]
    formats: dict[str, int]
    hosts: tuple[HostStats, ...]
    licenses: dict[str, int]
    runs: tuple[RunRow, ...]


def read_survey(db: sqlite3.Connection) -> Aggregates:
    """The aggregates of the whole database."""
    slice_s, slices = _slices(db)
    return Aggregates(
        slice_s=slice_s,
        slices=slices,
        sizes=_classes(db, " + ".join(f"(bytes >= {bound})" for bound in SIZE_CLASSES), len(SIZE_CLASSES) + 1),
        sides=_classes(db, f"min(max(width, height) / {SIDE_CLASS}, {SIDE_CLASSES - 1})", SIDE_CLASSES),
        formats=dict(
            db.execute(
                "SELECT coalesce(format, 'unknown'), count(*) FROM download WHERE status = 'done' "
                "GROUP BY 1 ORDER BY 2 DESC"
            )
        ),
        hosts=_hosts(db),
        licenses=dict(
            db.execute(
                "SELECT i.license, count(*) FROM download AS d CROSS JOIN image AS i USING (image_id) "
                "WHERE d.status = 'done' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 100"
            )
        ),
        runs=read_runs(db),
    )


def _slices(db: sqlite3.Connection) -> tuple[int, tuple[TimeBucket, ...]]:
    """The length of a slice in seconds, and every slice from the first to the last, including empty ones.

    Rows without a valid time are in none of them.
    """
    first, last = db.execute(
        "SELECT CAST(strftime('%s', min(at)) AS INTEGER), CAST(strftime('%s', max(at)) AS INTEGER) "
        f"FROM (SELECT julianday(finished_at) AS at FROM download) WHERE at {_YEARS}"
    ).fetchone()
    if first is None:
        return _SPANS[0], ()
    slice_s = _slice_s(first, last)
    first -= first % min(slice_s, _DAY_S)
    by_slice = {
        number: counts
        for number, *counts in db.execute(
            "SELECT (CAST(strftime('%s', finished_at) AS INTEGER) - ?) / ?, sum(status = 'done'), "
            "sum(status = 'failed'), coalesce(sum(iif(source = 'local', 0, bytes)), 0) "
            f"FROM download WHERE julianday(finished_at) {_YEARS} GROUP BY 1",
            (first, slice_s),
        )
    }
    times = (_EPOCH + timedelta(seconds=first + number * slice_s) for number in range(max(by_slice) + 1))
    return slice_s, tuple(TimeBucket(at, *by_slice.get(number, (0, 0, 0))) for number, at in enumerate(times))


def _slice_s(first: int, last: int) -> int:
    """The shortest length of a slice with which at most `_SLICES` cover the time between two seconds."""
    days = -(-(last - first) // (_DAY_S * (_SLICES - 1)))
    return next((span for span in _SPANS if last // span - first // span < _SLICES), days * _DAY_S)


def _classes(db: sqlite3.Connection, number: str, count: int) -> tuple[int, ...]:
    """The number of images that are done in each of `count` classes; `number` is the SQL for the class."""
    images = dict(db.execute(f"SELECT {number}, count(*) FROM download WHERE status = 'done' GROUP BY 1"))
    return tuple(images.get(each, 0) for each in range(count))


def _hosts(db: sqlite3.Connection) -> tuple[HostStats, ...]:
    """The busiest hosts and those with the most failures; the host with the most images comes first."""
    host = "substr(rest, 1, instr(rest || '/', '/') - 1)"
    rest = "substr(url, instr(url, '//') + 2) AS rest"
    facts: dict[str, HostStats] = {}
    for name, *counts in db.execute(
        f"SELECT {host}, count(*), sum(bytes), sum(transfer_s) FROM "
        f"(SELECT {rest}, bytes, transfer_s FROM download WHERE status = 'done' AND transfer_s IS NOT NULL) "
        f"GROUP BY 1 ORDER BY 2 DESC LIMIT {_HOSTS}"
    ):
        facts[name] = HostStats(name, *counts)
    for name, tries in db.execute(
        f"SELECT {host}, count(*) FROM (SELECT {rest} FROM attempt WHERE url IS NOT NULL) "
        f"GROUP BY 1 ORDER BY 2 DESC LIMIT {_HOSTS}"
    ).fetchall():
        known = facts.get(name, HostStats(name))
        facts[name] = HostStats(name, known.images, known.bytes, known.transfer_s, tries)
    return tuple(sorted(facts.values(), key=lambda each: (-each.images, -each.failed_tries, each.host)))
