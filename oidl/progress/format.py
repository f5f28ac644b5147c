"""A run in one line of text; times and sizes in words. Pure."""

from datetime import UTC, datetime
from pathlib import PurePath

from oidl.net.pace import PaceState
from oidl.progress.statistics import Reading, Statistics
from oidl.text import counted, printable

_NAME = 32  # characters of a file's name, to keep the line under 80


def progress_line(now: Statistics) -> str:
    """The progress of a run, in one line of under 80 characters."""
    if now.reading and now.is_busy_reading:
        return reading_words(now.reading, now.read_bytes_per_s)
    parts = [
        f"{now.done:,} done",
        f"{now.failed:,} failed",
        f"{now.images_per_s:.0f} img/s",
        f"{now.read_bytes_per_s / 1e6:.1f} MB/s",
        f"{now.remaining:,} left",
    ]
    if now.eta_s is not None and now.remaining:
        parts.append(duration(now.eta_s))
    if now.nodes:
        parts.append(counted(sum(node.lost is None for node in now.nodes), "node"))
    parts += [pace_words(pace) for pace in now.paces if pace.pause_s >= 1][:1]
    return " · ".join(parts)


def reading_words(reading: Reading, read_bytes_per_s: float) -> str:
    """A file's progress: `loading boxes.csv · 1,200,000 rows` or `fetching boxes.csv · 98 MB of 2.2 GB · 31.0 MB/s`."""
    name = printable(PurePath(reading.name).name)
    name = name if len(name) <= _NAME else f"…{name[1 - _NAME :]}"
    parts = [f"fetching {name}" if reading.rows is None else f"loading {name}"]
    if reading.rows is not None:
        parts.append(counted(reading.rows, "row") + (", indexing" if reading.is_indexing else ""))
    if reading.bytes is not None and not reading.is_indexing:
        expected = f" of {size(reading.expected_bytes)}" if reading.expected_bytes else ""
        parts.append(f"{size(reading.bytes)}{expected}")
    if reading.rows is None:
        parts.append(f"{read_bytes_per_s / 1e6:.1f} MB/s")
    return " · ".join(parts)


def pace_words(pace: PaceState) -> str:
    """The pace at one provider: `flickr: 38 req/s, up to 16 at once` or `flickr: paused for 12 s`."""
    where = f"{pace.provider} from {pace.node}" if pace.node else pace.provider
    if pace.pause_s >= 1:
        return f"{where}: paused for {duration(pace.pause_s)}"
    rate = "no rate limit" if pace.rate is None else f"{pace.rate:.3g} req/s"
    return f"{where}: {rate}, up to {pace.window} at once"


def duration(seconds: float) -> str:
    """A duration in its two largest units: `3 d 4 h`, `12 min 5 s`, `8 s`."""
    left = round(seconds)
    days, left = divmod(left, 86_400)
    hours, left = divmod(left, 3_600)
    minutes, left = divmod(left, 60)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"


def moment_words(moment: datetime) -> str:
    """A date and time, in UTC like all of them: `2030-01-02 03:04:05 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def due_words(due: datetime) -> str:
    """When something is due: `now`, or `at 2030-01-02 03:04:05 UTC`."""
    return "now" if due <= datetime.now(UTC) else f"at {moment_words(due)}"


def size(count: int) -> str:
    """Bytes in a suitable decimal unit: `1.9 GB`, `403 kB`, `12 B`."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:  # a value that rounds to 1000 is 1.0 of the next unit
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
