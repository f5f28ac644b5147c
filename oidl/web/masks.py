"""The masks of an image as one picture, to be laid over a file of it.

They are read from the published archives, of which the first read makes an index. One picture is made at a time, in a
thread; the last ones are kept.
"""

import os
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import trio
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from oidl.errors import MetadataError
from oidl.export.masks import MaskReader
from oidl.imaging.boxes import Transform
from oidl.imaging.masks import Mask
from oidl.imaging.overlay import draw_masks, overlay_transform
from oidl.settings import Layout
from oidl.state.annotation_rows import Segmentation, annotations_of
from oidl.state.connection import StateConnection
from oidl.state.file_annotations import boxes_of
from oidl.state.image_lookup import image_summaries, output_file
from oidl.state.load import loaded_list, loaded_subsets
from oidl.storage.layout import is_image_id
from oidl.web.colours import Colour, class_colours
from oidl.web.database import Database
from oidl.web.images import placing_of

_MAX_MASKS = 100  # of one image
_MAX_PIXELS = 16_000_000  # of one mask; published ones have at most 2.6 million
_KEPT = 64
_CACHED_S = 600  # in the browser


class _Masked(NamedTuple):
    """A file with masks: how it was made, the colours of classes, and where the archives of each subset are."""

    subset: str
    transform: Transform
    masks: tuple[Segmentation, ...]
    colours: dict[str, Colour]
    directories: dict[str, Path]


class Masks:
    """Answers requests for the masks of images in `database`, whose root is `root_dir`."""

    def __init__(self, database: Database, root_dir: Path) -> None:
        self._database = database
        self._root_dir = root_dir
        self._threads = trio.CapacityLimiter(1)
        self._reader: tuple[object, MaskReader] | None = None
        self._kept: OrderedDict[object, bytes] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the masks in the file that the path of the request names, as a PNG, or 404."""
        named = Request(scope).path_params
        body = None
        if is_image_id(named["image_id"]):
            masked = await self._database(self._masked, named["image_id"], named["rendition"])
            if masked is not None:
                body = await trio.to_thread.run_sync(self._draw, masked, limiter=self._threads)
        if body is None:
            await PlainTextResponse("There are no masks of this image on the disk.\n", 404)(scope, receive, send)
            return
        headers = {"Cache-Control": f"private, max-age={_CACHED_S}"}
        await Response(body, media_type="image/png", headers=headers)(scope, receive, send)

    def _masked(self, db: StateConnection, image_id: str, rendition: str) -> _Masked | None:
        file = output_file(db, image_id, rendition)
        transform = placing_of(file) if file else None
        masks = annotations_of(db, Segmentation, [image_id], None).get(image_id, [])[:_MAX_MASKS]
        held = loaded_list(db)
        if transform is None or not masks or held is None:
            return None
        (card,) = image_summaries(db, [image_id])
        boxes = boxes_of(db, [image_id], None).get(image_id, [])
        colours = class_colours([*(box.label_name for box in boxes), *(mask.label_name for mask in masks)])
        version_dir = self._root_dir / Layout(self._root_dir, held.directory).version_dir
        directories = {subset: version_dir / subset for subset in loaded_subsets(db)}
        return _Masked(card.subset, overlay_transform(transform), tuple(masks), colours, directories)

    def _draw(self, masked: _Masked) -> bytes | None:
        """The picture; None if no mask can be read."""
        archives = _archives(masked.directories)
        key = archives, masked.transform, masked.masks
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if self._reader is None or self._reader[0] != archives:  # a run has fetched more of them
            if self._reader is not None:
                self._reader[1].close()
            self._reader = archives, MaskReader(masked.directories, _MAX_PIXELS)
        found: list[tuple[Mask, Colour]] = []
        try:
            for each in masked.masks:
                mask = self._reader[1].read(masked.subset, each, masked.transform)
                if isinstance(mask, Mask):
                    found.append((mask, masked.colours[each.label_name]))
        except (MetadataError, KeyError, MemoryError):  # a damaged archive; a subset that is in no list
            return None
        if not found:
            return None
        body = draw_masks(found, masked.transform.width, masked.transform.height)
        self._kept[key] = body
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return body


def _archives(directories: Mapping[str, Path]) -> tuple[tuple[str, int, int], ...]:
    """The archives that are there now, each with its size and time."""
    found = []
    for directory in directories.values():
        for path in sorted(directory.glob("*.zip")):
            try:
                status = os.stat(path)
            except OSError:
                continue
            found.append((str(path), status.st_size, status.st_mtime_ns))
    return tuple(found)
