"""The explorer's requests: images that match a filter, with their boxes, and what there is to filter by."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from oidl.errors import UsageError
from oidl.model import LabelType, LicenseFilter
from oidl.progress.snapshot import Json
from oidl.reasons import meaning
from oidl.report.describe import license_name
from oidl.state.browse import Choices, class_filter, classes_called, frequent_licenses, read_choices
from oidl.state.connection import StateConnection
from oidl.state.explore import SEARCH_S, Filter, find_images
from oidl.state.file_annotations import boxes_of
from oidl.state.image_lookup import class_names
from oidl.state.licenses import checks_of
from oidl.web.database import Database
from oidl.web.images import card_json, check_json
from oidl.web.text import with_card_text

_PICTURES = 24
_BOXES = 100  # for each image; the opened image has all
_NAMES = 50
_MAX_TEXT = 200
_MAX_START = 17  # an ImageID, and a digit that comes after it
_HEX = frozenset("0123456789abcdef")
_AFTER_ALL = "g"
_LEAST_SEARCH_S = 0.005
_MAX_SIDE = 1_000_000

_SHOWN_BY = {
    "": (LabelType.BOXES, LabelType.LABELS),
    "boxes": (LabelType.BOXES,),
    "labels": (LabelType.LABELS,),
    "masks": (LabelType.SEGMENTATIONS,),
}


@dataclass(frozen=True, slots=True)
class _Search:
    """A search that a client asks for, by the parameters of its request; `conditions` has no class yet."""

    conditions: Filter
    class_name: str
    start: str
    is_backwards: bool


class Explorer:
    """Answers the explorer's requests from `database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def images(self, request: Request) -> Response:
        """The next images that match the parameters, and where the search continues.

        The more requests wait, the shorter the search; the client continues it.
        """
        try:
            search = _search(request.query_params)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        found = await self._database(_find, search, self._search_s)
        return JSONResponse(found or {"images": [], "next": None})

    def _search_s(self) -> float:
        return max(_LEAST_SEARCH_S, SEARCH_S / max(1, self._database.waiting))

    async def classes(self, request: Request) -> Response:
        """The names of classes that contain what was typed."""
        typed = request.query_params.get("name", "")[:_MAX_TEXT]
        return JSONResponse(await self._database(classes_called, typed, _NAMES) or [])

    async def choices(self, request: Request) -> Response:
        """What there is to filter by."""
        found = await self._database(read_choices) or Choices({}, {}, {}, {})
        licenses = await self._database(frequent_licenses) or []
        return JSONResponse(
            {
                "subsets": [{"name": name, "images": count} for name, count in found.subsets.items()],
                "renditions": [{"name": name, "images": count} for name, count in found.renditions.items()],
                "reasons": [
                    {"name": name, "images": count, "meaning": meaning(name)} for name, count in found.reasons.items()
                ],
                "checks": [{"name": name, "images": count} for name, count in found.checks.items()],
                "licenses": [{"url": url, "name": license_name(url)} for url in licenses[:_NAMES]],
                "has_classes": bool(await self._database(classes_called, "", 1)),
            }
        )


def _search(asked: Mapping[str, str]) -> _Search:
    """Raises `ValueError`, with a message for the user, for parameters that make no sense."""
    start = asked.get("start", "")
    if len(start) > _MAX_START or not set(start) <= _HEX:
        raise ValueError("`start` must be an ImageID.")
    if asked.get("in", "") not in _SHOWN_BY:
        raise ValueError(f"`in` must be one of {', '.join(filter(None, _SHOWN_BY))}.")
    if asked.get("check", "") not in ("", *LicenseFilter):
        raise ValueError(f"`check` must be one of {', '.join(LicenseFilter)}.")
    is_backwards = asked.get("back", "") == "1"
    conditions = Filter(
        shown_by=_SHOWN_BY[asked.get("in", "")],
        subset=asked.get("subset", ""),
        rendition=asked.get("rendition", ""),
        reason=asked.get("reason", ""),
        license=asked.get("license", ""),
        check=LicenseFilter(asked["check"]) if asked.get("check") else None,
        min_side=_side(asked.get("min", "")),
        max_side=_side(asked.get("max", "")),
    )
    return _Search(conditions, asked.get("class", ""), start or (_AFTER_ALL if is_backwards else ""), is_backwards)


def _side(typed: str) -> int | None:
    typed = typed.strip()
    if not typed:
        return None
    if not (typed.isascii() and typed.isdigit() and len(typed) <= 7):
        raise ValueError(f"A side is a number of pixels, at most {_MAX_SIDE:,}.")
    return min(int(typed), _MAX_SIDE)


def _find(db: StateConnection, search: _Search, search_s: Callable[[], float]) -> Json:
    conditions = search.conditions
    if search.class_name:
        try:
            label_names = class_filter(db, search.class_name[:_MAX_TEXT])
        except UsageError as error:  # not an error status, because browsers log those
            return {"error": f"{error.message}; {error.hint}"}
        conditions = replace(conditions, label_names=label_names)
    found = find_images(db, conditions, search.start, _PICTURES, is_backwards=search.is_backwards, search_s=search_s())
    cards = found.image_summaries
    boxes = {image_id: some[:_BOXES] for image_id, some in boxes_of(db, [c.image_id for c in cards], None).items()}
    names = class_names(db, {box.label_name for some in boxes.values() for box in some})
    checks = {check.image_id: check for check in checks_of(db, [card.image_id for card in cards])}
    now = datetime.now(UTC)
    return {
        "images": [
            with_card_text(card_json(card, conditions.rendition, boxes.get(card.image_id, ()), names), now)
            | {"check": check_json(checks.get(card.image_id))}
            for card in cards
        ],
        "next": found.next,
    }
