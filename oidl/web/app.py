"""The routes: the page itself, its moments, and what it asks for when somebody wants to know more."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from oidl.errors import UsageError
from oidl.report.words import license_name
from oidl.state.browse import Filter, Found, class_filter, classes_called, find_done, frequent_licenses
from oidl.state.counts import read_runs
from oidl.state.database import StateConnection
from oidl.state.gallery import cards_beginning, details, last_tries
from oidl.storage.layout import is_image_id
from oidl.web.database import Lookup
from oidl.web.events import Events
from oidl.web.feeds import Source
from oidl.web.images import card_json, details_json, examples_json
from oidl.web.pictures import Pictures
from oidl.web.snapshot import run_json

_FOUND = 20
_TRIES = 2_000  # that examples are taken from
_RUNS = 50
_PICTURES = 24
_NAMES = 50
_LONGEST_NAME = 200
_START_LENGTH = 17  # an ImageID, and what makes it the next one
_HEX = frozenset("0123456789abcdef")

_FILES = {
    "": ("web/static/index.html", "text/html"),
    "base.css": ("report/base.css", "text/css"),
    "page.css": ("web/static/page.css", "text/css"),
    "page.js": ("web/static/page.js", "text/javascript"),
    "draw.js": ("web/static/draw.js", "text/javascript"),
    "boxes.js": ("web/static/boxes.js", "text/javascript"),
    "filter.js": ("web/static/filter.js", "text/javascript"),
    "grid.js": ("web/static/grid.js", "text/javascript"),
    "details.js": ("web/static/details.js", "text/javascript"),
    "words.js": ("web/static/words.js", "text/javascript"),
    "icon.svg": ("web/static/icon.svg", "image/svg+xml"),
}


def make_app(source: Source, lookup: Lookup, events: Events, root_dir: Path) -> Starlette:
    """The page's application, about what `source` tells and `lookup` finds."""

    async def moment(request: Request) -> Response:
        return Response(await source.moment(), media_type="application/json")

    async def image(request: Request) -> Response:
        image_id = request.path_params["image_id"]
        found = await lookup(details, image_id) if is_image_id(image_id) else None
        return JSONResponse(details_json(found)) if found else _missing("There is no such image in the list.")

    async def search(request: Request) -> Response:
        beginning = request.query_params.get("id", "").strip().lower()
        if not beginning or len(beginning) > 16 or not set(beginning) <= _HEX:
            return JSONResponse({"error": "An ImageID is 16 digits and letters a to f; its beginning will do."}, 400)
        found = await lookup(cards_beginning, beginning, _FOUND) or []
        return JSONResponse([card_json(card) for card in found])

    async def wall(request: Request) -> Response:
        asked = request.query_params
        start = asked.get("start", "")
        if len(start) > _START_LENGTH or not set(start) <= _HEX:
            return JSONResponse({"error": "The wall starts at an ImageID."}, 400)
        found = await lookup(
            _filtered, asked.get("class", ""), asked.get("subset", ""), asked.get("license", ""), start
        )
        if found is None:
            return JSONResponse({"pictures": [], "next": None})
        if isinstance(found, str):  # an answer like others: browsers log what is none
            return JSONResponse({"error": found})
        return JSONResponse({"pictures": [card_json(card) for card in found.cards], "next": found.next})

    async def classes(request: Request) -> Response:
        typed = request.query_params.get("name", "")[:_LONGEST_NAME]
        return JSONResponse(await lookup(classes_called, typed, _NAMES) or [])

    async def licenses(request: Request) -> Response:
        found = await lookup(frequent_licenses) or []
        return JSONResponse([{"license": url, "name": license_name(url)} for url in found[:_NAMES]])

    async def examples(request: Request) -> Response:
        return JSONResponse(examples_json(await lookup(last_tries, _TRIES) or ()))

    async def runs(request: Request) -> Response:
        return JSONResponse([run_json(run) for run in await lookup(read_runs, _RUNS) or ()])

    return Starlette(
        routes=[
            *(Route(f"/{name}", _file(*file)) for name, file in _FILES.items()),
            Route("/events", events),
            Route("/api/moment", moment),
            Route("/api/image/{image_id}", image),
            Route("/api/search", search),
            Route("/api/wall", wall),
            Route("/api/classes", classes),
            Route("/api/licenses", licenses),
            Route("/api/examples", examples),
            Route("/api/runs", runs),
            Route("/picture/{image_id}/{rendition:path}", Pictures(lookup, root_dir)),
        ]
    )


def _filtered(db: StateConnection, class_name: str, subset: str, license: str, start: str) -> Found | str:
    """A part of the wall; in words what is wrong with `class_name`, if anything is."""
    try:
        label_names = class_filter(db, class_name[:_LONGEST_NAME]) if class_name else ()
    except UsageError as error:
        return f"{error.message}; {error.hint}"
    return find_done(db, Filter(label_names, subset, license), start, _PICTURES)


def _file(name: str, kind: str) -> Callable[[Request], Any]:
    body = files("oidl").joinpath(name).read_bytes()

    async def answer(request: Request) -> Response:
        return Response(body, media_type=kind, headers={"Cache-Control": "no-cache"})

    return answer


def _missing(text: str) -> Response:
    return JSONResponse({"error": text}, 404)
