"""Images as a browser is told them: whose they are, their files, boxes, labels and failed tries. Pure.

Titles and authors are published with HTML entities; they are given as the text that those stand for, and it is
for the page to show them as text and nothing else.
"""

from collections.abc import Iterable, Mapping
from html import unescape
from typing import Any
from urllib.parse import quote, urlsplit

from oidl.imaging.placing import Placing, as_exif_turns, placed
from oidl.model import ORIGINAL, Status
from oidl.report.words import license_name
from oidl.state.database import parse_timestamp
from oidl.state.gallery import Card, Details, OutputFile, Try
from oidl.state.labelled import Box
from oidl.text import without_passwords

Json = dict[str, Any]

_SHOWN = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif")
_LONGEST = 300  # characters of what a server said


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
    """An image with all its figures, files, failed tries, labels, and the boxes as they lie in each file."""
    card = details.card
    names = details.class_names
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
                "boxes": [] if (whole := placing_of(file)) is None else _boxes_json(details.boxes, whole, names),
            }
            for file in card.files
        ],
        "tries": [try_json(each) for each in details.tries],
        "labels": list(dict.fromkeys(_name(each.label_name, names) for each in details.labels if each.is_there)),
    }


def examples_json(tries: Iterable[Try], most: int = 5) -> dict[str, list[Json]]:
    """The first few of `tries` for each reason."""
    examples: dict[str, list[Json]] = {}
    for each in tries:
        found = examples.setdefault(each.reason, [])
        if len(found) < most:
            found.append(try_json(each))
    return examples


def try_json(each: Try) -> Json:
    """A failed try."""
    tried_at = parse_timestamp(each.at)
    at = tried_at.timestamp() if tried_at else 0.0
    return attempt_json(
        each.image_id, each.subset, each.status, each.reason, each.detail, each.http_status, each.url, at
    )


def placing_of(file: OutputFile) -> Placing | None:
    """How `file`, as a browser shows it, came out of the published picture; None where that was not noted."""
    if file.scaled_width is not None and file.scaled_height is not None:
        whole = Placing(
            file.orientation,
            file.scaled_width,
            file.scaled_height,
            file.crop_left,
            file.crop_top,
            file.width,
            file.height,
        )
    elif file.rendition == ORIGINAL:
        whole = Placing(file.orientation, file.width, file.height, 0, 0, file.width, file.height)
    else:
        return None
    return as_exif_turns(whole, file.exif_orientation) if file.exif_orientation else whole


def shown_file(card: Card) -> OutputFile | None:
    """The smallest file of an image that browsers show."""
    return next((file for file in card.files if _is_shown(file)), None)


def picture_path(image_id: str, rendition: str) -> str:
    """Where a picture is served."""
    return f"/picture/{image_id}/{quote(rendition, safe='')}"


def _is_shown(file: OutputFile) -> bool:
    return file.path.lower().endswith(_SHOWN)


def _boxes_json(boxes: Iterable[Box], whole: Placing, names: Mapping[str, str]) -> list[Json]:
    """The boxes that are in the file, as shares of its width and height."""
    seen = ((box, placed(box.x_min, box.x_max, box.y_min, box.y_max, whole)) for box in boxes)
    return [
        {
            "name": _name(box.label_name, names),
            "left": where.left / whole.width,
            "top": where.top / whole.height,
            "width": where.width / whole.width,
            "height": where.height / whole.height,
        }
        for box, where in seen
        if where is not None
    ]


def _name(label_name: str, names: Mapping[str, str]) -> str:
    return unescape(names.get(label_name, label_name))


def attempt_json(
    image_id: str,
    subset: str,
    status: Status,
    reason: str,
    detail: str | None,
    http_status: int | None,
    url: str | None,
    at: float,
) -> Json:
    """A failed try, of a run or from the database."""
    return {
        "id": image_id,
        "subset": subset,
        "status": status,
        "reason": reason,
        "detail": (detail or "")[:_LONGEST],
        "http_status": http_status,
        "host": host_of(url),
        "url": url and without_passwords(url),
        "at": at,
    }


def host_of(url: str | None) -> str | None:
    """The host of `url`; None where there is none."""
    try:
        return urlsplit(url).hostname if url else None
    except ValueError:  # half of an IPv6 address, from a list or by hand
        return None
