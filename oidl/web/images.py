"""Images as JSON for the browser: attribution, files, boxes, labels and failed tries. Pure.

Titles and authors are published with HTML entities. Here they are plain text, and the page must show them as text
and nothing else.
"""

from collections.abc import Iterable, Mapping
from html import unescape
from typing import Any
from urllib.parse import quote, urlsplit

from oidl.imaging.placing import Placing, as_exif_turns, placed
from oidl.model import ORIGINAL, Status
from oidl.report.words import license_name
from oidl.state.gallery import Card, Details, OutputFile, Try
from oidl.state.labelled import Box
from oidl.state.times import parse_timestamp
from oidl.text import without_passwords

Json = dict[str, Any]

_DISPLAYABLE = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif")
_MAX_CHARACTERS = 300  # of what a server said


def summary_json(card: Card) -> Json:
    """An image with its attribution; `picture` is null if it has no file that browsers show."""
    file = display_file(card)
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
        "picture": file and picture_path(card.image_id, file.rendition),
        "width": file and file.width,
        "height": file and file.height,
    }


def details_json(details: Details) -> Json:
    """An image with everything that is known about it: files, failed tries, labels, and the boxes in each file."""
    card = details.card
    names = details.class_names
    return {
        **summary_json(card),
        "original_url": without_passwords(details.original_url),
        "original_size": details.original_size,
        "download": {**details.download, "width": card.width, "height": card.height},
        "files": [
            {
                "rendition": file.rendition,
                "bytes": file.bytes,
                "width": file.width,
                "height": file.height,
                "picture": picture_path(card.image_id, file.rendition) if _is_displayable(file) else None,
                "boxes": [] if (placing := placing_of(file)) is None else _boxes_json(details.boxes, placing, names),
            }
            for file in card.files
        ],
        "tries": [try_json(each) for each in details.tries],
        "labels": list(dict.fromkeys(_name(each.label_name, names) for each in details.labels if each.is_there)),
    }


def examples_json(tries: Iterable[Try], most: int = 5) -> dict[str, list[Json]]:
    """The first `most` of `tries` for each reason."""
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
    """How `file`, as a browser shows it, was made from the published image; None if that was not recorded."""
    if file.scaled_width is not None and file.scaled_height is not None:
        placing = Placing(
            file.orientation,
            file.scaled_width,
            file.scaled_height,
            file.crop_left,
            file.crop_top,
            file.width,
            file.height,
        )
    elif file.rendition == ORIGINAL:
        placing = Placing(file.orientation, file.width, file.height, 0, 0, file.width, file.height)
    else:
        return None
    return as_exif_turns(placing, file.exif_orientation) if file.exif_orientation else placing


def display_file(card: Card) -> OutputFile | None:
    """The smallest file of an image that browsers can show; None if there is none."""
    return next((file for file in card.files if _is_displayable(file)), None)


def picture_path(image_id: str, rendition: str) -> str:
    """The path at which the file of this rendition is served."""
    return f"/picture/{image_id}/{quote(rendition, safe='')}"


def _is_displayable(file: OutputFile) -> bool:
    return file.path.lower().endswith(_DISPLAYABLE)


def _boxes_json(boxes: Iterable[Box], placing: Placing, names: Mapping[str, str]) -> list[Json]:
    """The boxes that lie in the file, as fractions of its width and height."""
    visible = ((box, placed(box.x_min, box.x_max, box.y_min, box.y_max, placing)) for box in boxes)
    return [
        {
            "name": _name(box.label_name, names),
            "left": where.left / placing.width,
            "top": where.top / placing.height,
            "width": where.width / placing.width,
            "height": where.height / placing.height,
        }
        for box, where in visible
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
        "detail": (detail or "")[:_MAX_CHARACTERS],
        "http_status": http_status,
        "host": host_of(url),
        "url": url and without_passwords(url),
        "at": at,
    }


def host_of(url: str | None) -> str | None:
    """The host of `url`; None if there is none."""
    try:
        return urlsplit(url).hostname if url else None
    except ValueError:  # half of an IPv6 address, for example
        return None
