"""A run in a line of text; times and bytes in words. Pure."""

from oidl.progress.meter import Statistics


def progress_line(now: Statistics) -> str:
    """Where a run is, in one line of under 80 characters."""
    parts = [
        f"{now.done:,} done",
        f"{now.failed:,} failed",
        f"{now.images_per_s:.0f} img/s",
        f"{now.read_bytes_per_s / 1e6:.1f} MB/s",
        f"{now.remaining:,} left",
    ]
    if now.left_s is not None and now.remaining:
        parts.append(duration(now.left_s))
    return " · ".join(parts)


def duration(seconds: float) -> str:
    """A time in the two units that matter: `3 d 4 h`, `12 min 5 s`, `8 s`."""
    left = round(seconds)
    days, left = divmod(left, 86_400)
    hours, left = divmod(left, 3_600)
    minutes, left = divmod(left, 60)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"


def size(count: int) -> str:
    """Bytes in the decimal unit that suits: `1.9 GB`, `403 kB`, `12 B`."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
