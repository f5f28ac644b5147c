"""The directories where files of renditions may be, by the settings of all runs and the current renditions.

`file.path` is text, and a database may come from others or have been edited. So a file is deleted, copied or shown only
if its path is one that a run could have written. Originals may be in several directories, because a later run may use
another one (on a larger disk), and the root may have been moved.
"""

import json
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from oidl.model import Rendition, ResizeMode, Source
from oidl.settings import Layout, SourceSettings
from oidl.state.verify import known_renditions


class Home(NamedTuple):
    """A directory of `rendition`, which is in `rendition.directory`, in the layout of the run that wrote there."""

    rendition: Rendition
    layout: Layout


def read_homes(db: sqlite3.Connection, layout: Layout) -> frozenset[Home]:
    """All such directories, including those of removed renditions; `layout` is that of the root at its current path.

    Unreadable settings of a run add none.
    """
    homes = {Home(rendition, layout) for rendition, _ in known_renditions(db)}
    for root_dir, version_dir, originals, renditions in db.execute(
        "SELECT DISTINCT json_extract(settings, '$.layout.root_dir'), json_extract(settings, '$.layout.version_dir'), "
        "json_extract(settings, '$.originals'), json_extract(settings, '$.renditions') "
        "FROM run WHERE json_valid(settings)"
    ):
        with suppress(ValueError, TypeError, LookupError, RecursionError):
            there = Layout(Path(root_dir), str(version_dir))
            outputs = [*_original_renditions(json.loads(originals)), *map(_rendition, json.loads(renditions))]
            homes.update(Home(rendition, there) for rendition in outputs)
    return frozenset(homes)


def _original_renditions(originals: dict[str, Any]) -> tuple[Rendition, ...]:
    sources = tuple(map(Source, originals["sources"]))
    return SourceSettings(sources, save=originals["save"], directory=str(originals["directory"])).original_renditions


def _rendition(settings: dict[str, Any]) -> Rendition:
    mode = settings["mode"]
    return Rendition(
        settings["name"], str(settings["directory"]), ResizeMode(mode) if mode else None, format=settings["format"]
    )
