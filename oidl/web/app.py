"""The routes: the page itself, its snapshots, and what it requests when the user wants to know more."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path, PurePath
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from oidl.state.counts import read_runs
from oidl.state.image_lookup import details, find_by_prefix, recent_failures
from oidl.storage.layout import is_image_id
from oidl.web.database import Database
from oidl.web.events import Events
from oidl.web.explorer import Explorer
from oidl.web.feeds import SnapshotSource
from oidl.web.images import details_json, examples_json, summary_json
from oidl.web.masks import Masks
from oidl.web.pictures import Pictures
from oidl.web.snapshot import run_json
from oidl.web.text import with_image_text, with_run_text, with_try_texts

_FOUND = 20
_TRIES = 2_000  # the examples of each reason are taken from the last so many
_RUNS = 50
_HEX = frozenset("0123456789abcdef")

_MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def make_app(source: SnapshotSource, database: Database, events: Events, root_dir: Path) -> Starlette:
    """The page's application: it shows the snapshots of `source` and what `database` finds."""

    explorer = Explorer(database)

    async def snapshot(request: Request) -> Response:
        return Response(await source.snapshot(), media_type="application/json")

    async def image(request: Request) -> Response:
        image_id = request.path_params["image_id"]
        found = await database(details, image_id) if is_image_id(image_id) else None
        return (
            JSONResponse(with_image_text(details_json(found), datetime.now(UTC)))
            if found
            else _missing("This ImageID is not in the list.")
        )

    async def search(request: Request) -> Response:
        beginning = request.query_params.get("id", "").strip().lower()
        if not beginning or len(beginning) > 16 or not set(beginning) <= _HEX:
            return JSONResponse(
                {"error": "An ImageID has 16 characters, 0 to 9 and a to f; its first few are enough."}, 400
            )
        found = await database(find_by_prefix, beginning, _FOUND) or []
        return JSONResponse([summary_json(card) for card in found])

    async def examples(request: Request) -> Response:
        found = examples_json(await database(recent_failures, _TRIES) or ())
        return JSONResponse({reason: with_try_texts(tries, datetime.now(UTC)) for reason, tries in found.items()})

    async def runs(request: Request) -> Response:
        return JSONResponse([with_run_text(run_json(run)) for run in await database(read_runs, _RUNS) or ()])

    return Starlette(
        routes=[
            *_static_routes(),
            Route("/events", events),
            Route("/api/snapshot", snapshot),
            Route("/api/image/{image_id}", image),
            Route("/api/search", search),
            Route("/api/images", explorer.images),
            Route("/api/classes", explorer.classes),
            Route("/api/choices", explorer.choices),
            Route("/api/examples", examples),
            Route("/api/runs", runs),
            Route("/picture/{image_id}/{rendition:path}", Pictures(database, root_dir)),
            Route("/masks/{image_id}/{rendition:path}", Masks(database, root_dir)),
        ]
    )


def _static_routes() -> Iterator[Route]:
    """The files of the page: those in `static/`, and the style sheet that the report has too."""
    for file in [*files("oidl.web").joinpath("static").iterdir(), files("oidl.report").joinpath("base.css")]:
        if media_type := _MEDIA_TYPES.get(PurePath(file.name).suffix):
            path = "/" if file.name == "index.html" else f"/{file.name}"
            yield Route(path, _static(file.read_bytes(), media_type))


def _static(body: bytes, media_type: str) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        return Response(body, media_type=media_type, headers={"Cache-Control": "no-cache"})

    return answer


def _missing(text: str) -> Response:
    return JSONResponse({"error": text}, 404)
