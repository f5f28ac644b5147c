"""Images as JSON for the browser: attribution, files, boxes, labels and failed tries. Pure.

Titles and authors are published with HTML entities. Here they are plain text, and the page must show them as text
and nothing else.
"""

from collections.abc import Iterable, Mapping
from html import unescape
from urllib.parse import quote

from oidl.imaging.boxes import Transform, as_exif_turns, transform_box
from oidl.model import ORIGINAL
from oidl.progress.snapshot import Json
from oidl.report.describe import license_name
from oidl.state.file_annotations import Box
from oidl.state.image_lookup import Details, FailedAttempt, ImageSummary, OutputFile
from oidl.text import printable, without_passwords
from oidl.web.media import is_displayable

_MAX_CHARACTERS = 300  # of what a server said


def summary_json(card: ImageSummary) -> Json:
    """An image with its attribution; `picture` is null if it has no file that browsers show."""
    file = display_file(card)
    return {
        "image_id": card.image_id,
        "subset": card.subset,
        "status": card.status,
        "reason": card.reason,
        "title": printable(unescape(card.title)),
        "author": printable(unescape(card.author)),
        "author_url": printable(card.author_profile_url),
        "license": printable(card.license),
        "license_name": printable(license_name(card.license)),
        "landing_url": printable(card.original_landing_url),
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
        "original_url": printable(without_passwords(details.original_url)),
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
        "failures": [failure_json(each) for each in details.tries],
        "labels": list(dict.fromkeys(_name(each.label_name, names) for each in details.labels if each.is_there)),
    }


def examples_json(tries: Iterable[FailedAttempt], most: int = 5) -> dict[str, list[Json]]:
    """The first `most` of `tries` for each reason."""
    examples: dict[str, list[Json]] = {}
    for each in tries:
        found = examples.setdefault(each.reason, [])
        if len(found) < most:
            found.append(failure_json(each))
    return examples


def failure_json(each: FailedAttempt) -> Json:
    """A failed try of the database, with the keys of one of a run."""
    return {
        "time": each.at,
        "image_id": each.image_id,
        "subset": each.subset,
        "status": each.status,
        "reason": each.reason,
        "detail": (each.detail or "")[:_MAX_CHARACTERS],
        "http_status": each.http_status,
        "url": each.url and without_passwords(each.url),
    }


def placing_of(file: OutputFile) -> Transform | None:
    """How `file`, as a browser shows it, was made from the published image; None if that was not recorded."""
    if file.scaled_width is not None and file.scaled_height is not None:
        placing = Transform(
            file.orientation,
            file.scaled_width,
            file.scaled_height,
            file.crop_left,
            file.crop_top,
            file.width,
            file.height,
        )
    elif file.rendition == ORIGINAL:
        placing = Transform(file.orientation, file.width, file.height, 0, 0, file.width, file.height)
    else:
        return None
    return as_exif_turns(placing, file.exif_orientation) if file.exif_orientation else placing


def display_file(card: ImageSummary) -> OutputFile | None:
    """The smallest file of an image that browsers can show; None if there is none."""
    return next((file for file in card.files if _is_displayable(file)), None)


def _is_displayable(file: OutputFile) -> bool:
    return is_displayable(file.path, file.image_format)


def picture_path(image_id: str, rendition: str) -> str:
    """The path at which the file of this rendition is served."""
    return f"/picture/{image_id}/{quote(rendition, safe='')}"


def _boxes_json(boxes: Iterable[Box], placing: Transform, names: Mapping[str, str]) -> list[Json]:
    """The boxes that lie in the file, as fractions of its width and height."""
    visible = ((box, transform_box(box.x_min, box.x_max, box.y_min, box.y_max, placing)) for box in boxes)
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
    return printable(unescape(names.get(label_name, label_name)))
