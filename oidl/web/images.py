"""Images as JSON for the browser: attribution, files, boxes, labels and failed tries. Pure.

Titles and authors are published with HTML entities. Here they are plain text, and the page must show them as text
and nothing else.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import unescape
from urllib.parse import quote

from oidl.imaging.boxes import Transform, as_exif_turns, transform_box
from oidl.model import ORIGINAL
from oidl.progress.snapshot import Json
from oidl.reasons import meaning
from oidl.report.describe import license_name
from oidl.state.file_annotations import Box, Label
from oidl.state.image_lookup import Details, FailedAttempt, ImageSummary, OutputFile
from oidl.state.licenses import LicenseCheckRow
from oidl.text import printable, without_passwords
from oidl.web.colours import Colour, class_colours, css_colour
from oidl.web.media import is_displayable

_MAX_CHARACTERS = 300  # of what a server said
_MACHINE = "machine"


def summary_json(card: ImageSummary, rendition: str = "") -> Json:
    """An image with its attribution; `picture` is null if it has no file that browsers show, of `rendition` if given.

    `remote` then is where its file is, if that is an object store.
    """
    file = display_file(card, rendition)
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
        "remote": None if file else _remote_of(card, rendition),
    }


def card_json(card: ImageSummary, rendition: str, boxes: Sequence[Box], names: Mapping[str, str]) -> Json:
    """An image of the explorer: its summary, the boxes in its picture, and what is wrong with it."""
    file = display_file(card, rendition)
    colours = class_colours(box.label_name for box in boxes)
    trouble = {
        "meaning": meaning(card.reason or ""),
        "detail": printable((card.detail or "")[:_MAX_CHARACTERS]),
        "url": card.url and printable(without_passwords(card.url)),
        "next_attempt_at": card.next_attempt_at,
    }
    return {
        **summary_json(card, rendition),
        "boxes": _file_boxes(file, boxes, names, colours) if file else [],
        "trouble": trouble if card.reason else None,
    }


def details_json(details: Details) -> Json:
    """An image with everything that is known about it: files, failed tries, labels, and the boxes in each file."""
    card = details.card
    names = details.class_names
    drawn = [*(box.label_name for box in details.boxes), *(mask.label_name for mask in details.masks)]
    colours = class_colours(drawn, (label.label_name for label in details.labels))
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
                "remote": file.remote_url,
                "picture": picture_path(card.image_id, file.rendition) if _is_displayable(file) else None,
                "masks": mask_path(card.image_id, file.rendition) if details.masks and placing_of(file) else None,
                "boxes": _file_boxes(file, details.boxes, names, colours),
            }
            for file in card.files
        ],
        "meaning": meaning(card.reason) if card.reason else "",
        "check": check_json(details.check),
        "failures": [failure_json(each) for each in details.tries],
        "labels": labels_json(details.labels, names, colours),
        "masked": [
            {"name": _name(label_name, names), "colour": css_colour(colours[label_name]), "masks": count}
            for label_name, count in Counter(mask.label_name for mask in details.masks).items()
        ],
    }


def check_json(check: LicenseCheckRow | None) -> Json | None:
    """The last check of a licence; null if there is none."""
    if check is None:
        return None
    return {
        "verdict": check.verdict,
        "reason": printable(check.reason or ""),
        "license": printable(check.license_url or ""),
        "license_name": printable(license_name(check.license_url or "")),
        "checked_at": check.checked_at[:10],
        "via": check.via,
    }


def labels_json(labels: Iterable[Label], names: Mapping[str, str], colours: Mapping[str, Colour]) -> list[Json]:
    """One label for each class: those that are there first, then those that people said are not there.

    `by` is `people` or `machine`; people overrule a machine. What a machine is certain is not there is left out.
    """
    best: dict[str, Label] = {}
    for label in labels:
        if label.is_there or (label.confidence == 0 and label.source != _MACHINE):
            before = best.get(label.label_name)
            if before is None or (label.source != _MACHINE, label.is_there) > (
                before.source != _MACHINE,
                before.is_there,
            ):
                best[label.label_name] = label
    return [
        {
            "name": _name(label.label_name, names),
            "colour": css_colour(colours[label.label_name]),
            "is_there": bool(label.is_there),
            "confidence": label.confidence,
            "by": "machine" if label.source == _MACHINE else "people",
        }
        for label in sorted(best.values(), key=lambda each: (not each.is_there, each.source == _MACHINE))
    ]


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


def display_file(card: ImageSummary, rendition: str = "") -> OutputFile | None:
    """The smallest file of an image that browsers can show, of `rendition` if given; None if there is none."""
    return next((file for file in card.files if rendition in ("", file.rendition) and _is_displayable(file)), None)


def _is_displayable(file: OutputFile) -> bool:
    return file.remote_url is None and is_displayable(file.path, file.image_format)


def _remote_of(card: ImageSummary, rendition: str) -> str | None:
    remote = (file.remote_url for file in card.files if rendition in ("", file.rendition))
    return next((printable(without_passwords(url)) for url in remote if url is not None), None)


def picture_path(image_id: str, rendition: str) -> str:
    """The path at which the file of this rendition is served."""
    return f"/picture/{image_id}/{quote(rendition, safe='')}"


def mask_path(image_id: str, rendition: str) -> str:
    """The path at which the masks in the file of this rendition are served, as one picture."""
    return f"/masks/{image_id}/{quote(rendition, safe='')}"


def _file_boxes(
    file: OutputFile, boxes: Iterable[Box], names: Mapping[str, str], colours: Mapping[str, Colour]
) -> list[Json]:
    """The boxes that lie in the file, as fractions of its width and height."""
    placing = placing_of(file)
    if placing is None:
        return []
    visible = ((box, transform_box(box.x_min, box.x_max, box.y_min, box.y_max, placing)) for box in boxes)
    return [
        {
            "name": _name(box.label_name, names),
            "colour": css_colour(colours[box.label_name]),
            "flags": [word for word, flag in _flags(box) if flag == 1],
            "left": where.left / placing.width,
            "top": where.top / placing.height,
            "width": where.width / placing.width,
            "height": where.height / placing.height,
        }
        for box, where in visible
        if where is not None
    ]


def _flags(box: Box) -> Iterable[tuple[str, int | None]]:
    yield "group", box.is_group_of
    yield "occluded", box.is_occluded
    yield "truncated", box.is_truncated
    yield "depiction", box.is_depiction
    yield "inside", box.is_inside


def _name(label_name: str, names: Mapping[str, str]) -> str:
    return printable(unescape(names.get(label_name) or label_name))
