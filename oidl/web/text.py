"""The texts of the page: numbers, sizes and times written by the command line's functions, so they cannot differ. Pure.

What the page shows of an object of JSON is in the object's `text`. The scripts put texts in place; they format nothing
themselves but whole numbers.
"""

from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

from oidl.progress.format import duration, moment_words, size
from oidl.progress.snapshot import Json
from oidl.report.describe import share
from oidl.state.times import parse_timestamp

_UNKNOWN = "–"

OUTCOMES = {
    "finished": "finished: every image is settled",
    "unfinished": "did not finish: run it again to resume",
    "limit": "stopped at a limit",
    "interrupted": "was interrupted: run it again to resume",
    "disk": "stopped: a file could not be written",
    "metadata": "ended: some metadata could not be fetched",
    "bug": "stopped: oidl failed; the log has the traceback",
    "error": "stopped: an error ended it",
    "killed": "was killed: run it again to resume",
}
"""How a run ended, by `run.outcome`; after the words "last run"."""


# ---- the snapshot


def with_text(page: Json, plan_text: str = "") -> Json:
    """A snapshot for the page with its texts; the text of a rate is null if the rate is not known.

    `plan_text` says how the images of the plan stand, if they are not the whole list.
    """
    rates = page if page["is_running"] else page["means"] or {}
    eta_s = page["eta_s"] if page["is_running"] else None
    eta_text = "" if eta_s is None else f"about {duration(eta_s)} left"
    text = {
        "state": _state(page),
        "elapsed": "" if page["elapsed_s"] is None else duration(page["elapsed_s"]),
        "settled": _settled(page) if page["total"] else _UNKNOWN,
        "left": " · ".join(filter(None, (plan_text, eta_text))),
        "images_per_s": _rate(rates.get("images_per_s")),
        "read_bytes_per_s": _bytes_per_s(rates.get("read_bytes_per_s")),
        "written_bytes_per_s": _bytes_per_s(rates.get("written_bytes_per_s")),
        "subsets": {subset: _settled(row) for subset, row in page["by_subset"].items()},
    }
    return page | {
        "text": text,
        "downloads": _with_texts(page["downloads"], _download),
        "resizes": _with_texts(page["resizes"], lambda image: {"elapsed": _seconds(image["elapsed_s"])}),
        "paces": _with_texts(page["paces"], _pace),
        "nodes": _with_texts(page["nodes"], lambda node: {"images_per_s": _rate(node["images_per_s"])}),
        "successes": _with_texts(page["successes"], _success),
    }


def _state(page: Json) -> str:
    if page["is_running"]:
        return "a run is active" if page["total"] else "loading the image list"
    outcome = page["outcome"]
    return f"last run {OUTCOMES.get(outcome, f'ended: {outcome}')}" if outcome else "no run yet"


def _settled(row: Json) -> str:
    return share(row["done"] + row["failed"], row["done"] + row["failed"] + row["retry"] + row["pending"])


def _download(download: Json) -> Json:
    received, expected = download["received_bytes"], download["expected_bytes"]
    return {"received": f"{min(100, 100 * received // expected)} %" if expected else size(received)}


def _pace(pace: Json) -> Json:
    pause = f"paused for {duration(pace['pause_s'])}" if pace["pause_s"] >= 1 else ""
    reason = f": {pace['pause_reason']}" if pause and pace["pause_reason"] else ""
    rate = pace["rate"]
    return {"rate": "any" if rate is None else f"{float(f'{rate:.3g}'):g}", "pause": pause + reason}


def _success(success: Json) -> Json:
    return {
        "size": _UNKNOWN if success["bytes"] is None else size(success["bytes"]),
        "pixels": _UNKNOWN if success["width"] is None else f"{success['width']} × {success['height']}",
        "transfer": _seconds(success["transfer_s"]),
        "process": _seconds(success["process_s"]),
    }


# ---- what is asked for by itself


def with_image_text(image: Json, now: datetime) -> Json:
    """An image (`details_json`) with its texts, those of its files and of its failed tries."""
    download = image["download"]
    body, seconds = download["bytes"], download["transfer_s"]
    pixels = f"{download['width']} × {download['height']}"
    text = {
        "next_attempt": _moment(download["next_attempt_at"]),
        "original_size": size(image["original_size"]),
        "download": "" if body is None else f"{size(body)}, {pixels} {download['format'] or ''}".strip(),
        "transfer": ""
        if seconds is None
        else f"{_seconds(seconds)}, {size(round((body or 0) / max(seconds, 1e-3)))}/s",
        "finished": _moment(download["finished_at"]),
    }
    return image | {
        "text": text,
        "files": _with_texts(
            image["files"], lambda file: {"size": size(file["bytes"]), "pixels": f"{file['width']} × {file['height']}"}
        ),
        "failures": with_try_texts(image["failures"], now),
    }


def with_card_text(card: Json, now: datetime) -> Json:
    """An image of the explorer (`card_json`) with its texts."""
    pixels = f"{card['width']} × {card['height']}" if card["picture"] else ""
    text = {"pixels": pixels, "retry": ""}
    if card["trouble"] and card["status"] == "retry":
        at = parse_timestamp(card["trouble"]["next_attempt_at"])
        wait_s = (at - now).total_seconds() if at else 0.0
        text["retry"] = f"will be retried in {duration(wait_s)}" if wait_s > 0 else "will be retried by the next run"
    return card | {"text": text}


def with_try_texts(tries: list[Json], now: datetime) -> list[Json]:
    """Failed tries (`failure_json`), each with its host and how long ago it was."""

    def text(each: Json) -> Json:
        at = parse_timestamp(each["time"])
        return {
            "host": host_of(each["url"]) or "",
            "ago": duration(max(0.0, (now - at).total_seconds())) if at else each["time"],
        }

    return [each | {"text": text(each)} for each in tries]


def with_run_text(run: Json) -> Json:
    """A run of the history (`run_json`) with its texts."""
    text = {
        "started": _moment(run["started_at"]).removesuffix(" UTC"),
        "elapsed": duration(run["elapsed_s"]),
        "read": size(run["bytes_read"]),
    }
    return run | {"text": text}


def host_of(url: str | None) -> str | None:
    """The host of `url`; None if there is none."""
    try:
        return urlsplit(url).hostname if url else None
    except ValueError:  # half of an IPv6 address, for example
        return None


# ---- numbers


def _with_texts(rows: list[Json] | None, text: Callable[[Json], Json]) -> list[Json] | None:
    return None if rows is None else [row | {"text": text(row)} for row in rows]


def _seconds(seconds: float | None) -> str:
    """A short time: `12 ms`, `1.5 s`."""
    if seconds is None:
        return _UNKNOWN
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _rate(per_s: float | None) -> str | None:
    return None if per_s is None else f"{per_s:.1f}" if per_s < 10 else f"{per_s:.0f}"


def _bytes_per_s(per_s: float | None) -> str | None:
    return None if per_s is None else f"{size(round(per_s))}/s"


def _moment(time: str | None) -> str:
    """A time as the database has it; whatever else users wrote there stays as it is."""
    moment = parse_timestamp(time)
    return moment_words(moment) if moment else time or ""
