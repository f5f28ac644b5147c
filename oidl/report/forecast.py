"""What a run will do: three lines, and for a dry run also tables by subset and class. Pure."""

from collections.abc import Iterator, Mapping

from oidl.forecast import GUESSED_BYTES_PER_S, GUESSED_IMAGES_PER_S, FilesToFetch, Forecast, Share
from oidl.progress.format import duration, size
from oidl.text import counted

_UNKNOWN = "?"


def forecast_lines(forecast: Forecast) -> list[str]:
    """The images to fetch, the annotations to fetch, and the cost: disk space and time."""
    if forecast.is_nothing:
        return ["0 images and no annotations to fetch: everything is on disk already"]
    return [_images_line(forecast), _annotations_line(forecast.annotations), _costs_line(forecast)]


def forecast_text(forecast: Forecast) -> str:
    """The same lines and the tables. An image with two classes counts in both."""
    lines = [*forecast_lines(forecast), "nothing was fetched or written: this is a dry run"]
    for title, shares in (("subset", forecast.subsets), ("class", forecast.classes)):
        lines += _table(title, shares)
    return "\n".join(lines)


def _images_line(forecast: Forecast) -> str:
    images = forecast.images
    if images is None:
        line = "images to fetch: unknown until the image list is loaded"
    else:
        fetched = images - forecast.local
        most = "at most " if forecast.is_most else ""
        is_cut = forecast.available is None or images < forecast.available
        those = counted(fetched, "image")
        if is_cut and forecast.available is not None:
            those = f"{fetched:,} of {counted(forecast.available, 'image')}"
        line = f"{most}{those} to fetch{' (--limit)' if is_cut else ''}"
        if fetched and forecast.bytes is not None:
            about = "" if forecast.is_exact and not is_cut else "about "
            line += f", {about}{size(round(forecast.bytes))}"
        if forecast.local:
            line += f", {counted(forecast.local, 'image')} to make from originals on disk"
    return f"{line}; {_file_words(forecast.lists)}" if forecast.lists else line


def _annotations_line(kinds: tuple[FilesToFetch, ...]) -> str:
    if not kinds:
        return "no annotations to fetch"
    total = sum(each.bytes for each in kinds)
    about = "" if all(each.is_exact for each in kinds) else "about "
    rest = ", plus files of unknown size" if any(each.unknown for each in kinds) else ""
    in_all = f"; {about}{size(total)} in all{rest}" if len(kinds) > 1 and total else ""
    return f"annotations to fetch: {', '.join(map(_file_words, kinds))}{in_all}"


def _file_words(files: FilesToFetch) -> str:
    """`boxes 2.4 GB`, `relationships about 369 MB`, `points of unknown size`."""
    about = "" if files.is_exact else "about "
    if not files.bytes:
        return f"{files.name} of unknown size"
    more = f" and {counted(files.unknown, 'file')} of unknown size" if files.unknown else ""
    return f"{files.name} {about}{size(files.bytes)}{more}"


def _costs_line(forecast: Forecast) -> str:
    return "; ".join([*_room_words(forecast), _time_words(forecast)])


def _room_words(forecast: Forecast) -> Iterator[str]:
    if forecast.images is None:
        return
    for room in forecast.rooms:
        if room.needed <= room.usable:
            yield f"on disk about {size(room.needed)} of {size(room.usable)} available at {room.place}"
        else:
            usable = size(max(0, room.usable))
            yield f"on disk about {size(room.needed)}, too much: {usable} available at {room.place}"


def _time_words(forecast: Forecast) -> str:
    seconds = forecast.seconds
    if seconds is None:
        return "the time it takes is unknown until the image list is loaded"
    if forecast.learned_pace and forecast.images:
        pace = f"the pace of the last run, {forecast.learned_pace:.1f} images/s"
    else:
        pace = f"{size(GUESSED_BYTES_PER_S)}/s and at most {GUESSED_IMAGES_PER_S} images/s, which is a guess"
    return f"takes about {duration(seconds)} at {pace}"


def _table(title: str, shares: Mapping[str, Share | None]) -> list[str]:
    if not shares:
        return []
    return ["", f"{title:<32}{'images':>12}{'bytes':>12}", *(_row(name, share) for name, share in shares.items())]


def _row(name: str, share: Share | None) -> str:
    images = _UNKNOWN if share is None else f"{share.images:,}"
    weight = _UNKNOWN if share is None or share.bytes is None else size(round(share.bytes))
    return f"{name:<32}{images:>12}{weight:>12}"
