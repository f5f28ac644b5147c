"""What a browser is told: moments, images and runs as plain values for JSON. Pure.

A run of this process and a database that is only looked at give moments of one
shape; what the latter cannot know is null. Titles and authors are published
with HTML entities; they are given as the text that those stand for, and it is
for the page to show them as text and nothing else.
"""

import json
from collections.abc import Iterable, Sequence
from html import unescape
from typing import Any
from urllib.parse import quote, urlsplit

from oidl.model import Status
from oidl.progress.statistics import Failed, Second, Statistics, Success
from oidl.report.words import license_name, meaning
from oidl.state.counts import Counts, RunFacts
from oidl.state.database import parse_timestamp
from oidl.state.gallery import Card, Details, OutputFile, Try
from oidl.text import without_passwords

Json = dict[str, Any]

_SHOWN = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif")
_LONGEST = 300  # characters of what a server said


def live_moment(now: Statistics, *, outcome: str | None) -> Json:
    """A moment of the run in this process; `outcome` is how it ended, if it has. The page adds the pictures."""
    return {
        "source": "run",
        "outcome": outcome,
        "rates": _rates(now.images_per_s, now.read_bytes_per_s, now.written_bytes_per_s),
        "run": {
            "elapsed_s": now.elapsed_s,
            "done": now.done,
            "failed": now.failed,
            "retried": now.retried,
            "bytes_read": now.bytes_read,
            "bytes_written": now.bytes_written,
            "left_s": now.left_s,
        },
        **_standing(now.by_subset, {reason.value: row for reason, row in now.failures.items()}),
        "history": _history(now.history),
        "downloads": [
            {
                "id": transfer.image_id,
                "host": transfer.host,
                "received": transfer.received_bytes,
                "expected": transfer.expected_bytes,
                "share": transfer.share,
                "elapsed_s": transfer.elapsed_s,
            }
            for transfer in now.transfers
        ],
        "resizes": [{"id": image.image_id, "elapsed_s": image.elapsed_s} for image in now.processing],
        "paces": [
            {
                "provider": pace.provider,
                "window": pace.window,
                "rate": pace.rate,
                "pause_s": pace.pause_s,
                "why": pace.pause_reason,
            }
            for pace in now.paces
        ],
        "successes": [_success(success) for success in now.successes],
        "failures": [_failed(failed) for failed in now.failed_tries],
    }


def resting_moment(
    counts: Counts, history: Sequence[Second], tries: Iterable[Try], cards: Iterable[Card], *, is_running: bool
) -> Json:
    """A moment of a database, which another process may be writing."""
    run = counts.run
    written = history[-1].bytes_written if history and is_running else 0
    left = counts.by_status[Status.PENDING] + counts.by_status[Status.RETRY]
    return {
        "source": "database",
        "outcome": None if is_running else (run.outcome or "killed" if run else "none yet"),
        "rates": _rates(run.images_per_s, run.bytes_per_s, written) if run and is_running else _rates(0, 0, 0),
        "run": run
        and {
            "elapsed_s": run.elapsed_s,
            "done": run.done,
            "failed": run.failed,
            "retried": None,
            "bytes_read": run.bytes,
            "bytes_written": None,
            "left_s": left / run.images_per_s if run.images_per_s and is_running else None,
        },
        **_standing(counts.by_subset, counts.by_reason),
        "history": _history(history),
        "downloads": None,
        "resizes": None,
        "paces": [
            {"provider": pace.provider, "window": pace.window, "rate": pace.rate, "pause_s": 0, "why": ""}
            for pace in counts.paces
        ],
        "successes": None,
        "failures": [try_json(each) for each in tries],
        "pictures": [card_json(card) for card in cards],
    }


def in_a_line(value: Json) -> str:
    """A moment as one line of JSON."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def card_json(card: Card) -> Json:
    """An image, with what must be said beside its picture; `picture` is null where there is none that browsers show."""
    shown = shown_file(card)
    return {
        "id": card.image_id,
        "subset": card.subset,
        "status": card.status,
        "reason": card.reason,
        "title": unescape(card.title),
        "author": unescape(card.author),
        "author_url": card.author_profile_url,
        "license": card.license,
        "license_name": license_name(card.license),
        "landing_url": card.original_landing_url,
        "picture": shown and picture_path(card.image_id, shown.rendition),
        "width": shown and shown.width,
        "height": shown and shown.height,
    }


def details_json(details: Details) -> Json:
    """An image with all its figures, files and failed tries."""
    card = details.card
    return {
        **card_json(card),
        "original_url": without_passwords(details.original_url),
        "original_size": details.original_size,
        "download": {**details.download, "width": card.width, "height": card.height},
        "files": [
            {
                "rendition": file.rendition,
                "bytes": file.bytes,
                "width": file.width,
                "height": file.height,
                "picture": picture_path(card.image_id, file.rendition) if _is_shown(file) else None,
            }
            for file in card.files
        ],
        "tries": [try_json(each) for each in details.tries],
    }


def examples_json(tries: Iterable[Try], most: int = 5) -> dict[str, list[Json]]:
    """The first few of `tries` for each reason."""
    examples: dict[str, list[Json]] = {}
    for each in tries:
        found = examples.setdefault(each.reason, [])
        if len(found) < most:
            found.append(try_json(each))
    return examples


def run_json(run: RunFacts) -> Json:
    """A line of the history of runs."""
    return {
        "id": run.id,
        "started_at": run.started_at,
        "outcome": run.outcome,
        "elapsed_s": run.elapsed_s,
        "done": run.done,
        "failed": run.failed,
        "bytes": run.bytes,
    }


def try_json(each: Try) -> Json:
    """A failed try."""
    tried_at = parse_timestamp(each.at)
    at = tried_at.timestamp() if tried_at else 0.0
    return _trial(each.image_id, each.subset, each.status, each.reason, each.detail, each.http_status, each.url, at)


def shown_file(card: Card) -> OutputFile | None:
    """The smallest file of an image that browsers show."""
    return next((file for file in card.files if _is_shown(file)), None)


def picture_path(image_id: str, rendition: str) -> str:
    """Where a picture is served."""
    return f"/picture/{image_id}/{quote(rendition, safe='')}"


def _is_shown(file: OutputFile) -> bool:
    return file.path.lower().endswith(_SHOWN)


def _success(success: Success) -> Json:
    return {
        "id": success.image_id,
        "subset": success.subset,
        "host": urlsplit(success.url).hostname if success.url else None,
        "bytes": success.bytes,
        "width": success.width,
        "height": success.height,
        "transfer_s": success.transfer_s,
        "process_s": success.process_s,
        "at": success.finished_at,
    }


def _failed(failed: Failed) -> Json:
    return _trial(
        failed.image_id,
        failed.subset,
        failed.status,
        failed.reason,
        failed.detail,
        failed.http_status,
        failed.url,
        failed.at,
    )


def _trial(
    image_id: str,
    subset: str,
    status: Status,
    reason: str,
    detail: str | None,
    http_status: int | None,
    url: str | None,
    at: float,
) -> Json:
    return {
        "id": image_id,
        "subset": subset,
        "status": status,
        "reason": reason,
        "detail": (detail or "")[:_LONGEST],
        "http_status": http_status,
        "host": url and urlsplit(url).hostname,
        "at": at,
    }


def _rates(images: float, read: float, written: float) -> Json:
    return {"images_per_s": images, "read_bytes_per_s": read, "written_bytes_per_s": written}


def _standing(by_subset: dict[str, dict[Status, int]], by_reason: dict[str, dict[Status, int]]) -> Json:
    by_status = {status.value: sum(row[status] for row in by_subset.values()) for status in Status}
    ranked = sorted(by_reason.items(), key=lambda item: -sum(item[1].values()))
    return {
        "total": sum(by_status.values()),
        "by_status": by_status,
        "by_subset": {subset: {status.value: row[status] for status in Status} for subset, row in by_subset.items()},
        "by_reason": [
            {
                "reason": reason,
                "meaning": meaning(reason),
                "failed": row[Status.FAILED],
                "retry": row[Status.RETRY],
            }
            for reason, row in ranked
            if any(row.values())
        ],
    }


def _history(seconds: Sequence[Second]) -> Json:
    return {
        "images": [second.images for second in seconds],
        "read": [second.bytes_read for second in seconds],
        "written": [second.bytes_written for second in seconds],
    }
