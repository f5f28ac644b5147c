"""The masks of an image as one picture, to be laid over a file of it.

They are read from the published archives, of which the first read makes an index. One picture is made at a time, in a
thread; the last ones are kept.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import trio
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from oidl.settings import Layout
from oidl.state.annotation_rows import Segmentation, annotations_of
from oidl.state.connection import StateConnection
from oidl.state.file_annotations import boxes_of
from oidl.state.image_lookup import image_summaries, output_file
from oidl.state.load import loaded_list, loaded_subsets
from oidl.storage.layout import is_image_id
from oidl.web.colours import class_colours
from oidl.web.database import Database
from oidl.web.images import placing_of

if TYPE_CHECKING:
    from oidl.web.overlays import MaskedFile, Overlays

_MAX_MASKS = 100  # of one image
_CACHED_S = 600  # in the browser


class Masks:
    """Answers requests for the masks of images in `database`, whose root is `root_dir`."""

    def __init__(self, database: Database, root_dir: Path) -> None:
        self._database = database
        self._root_dir = root_dir
        self._threads = trio.CapacityLimiter(1)
        self._overlays: Overlays | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the masks in the file that the path of the request names, as a PNG, or 404."""
        named = Request(scope).path_params
        body = None
        if is_image_id(named["image_id"]):
            file = await self._database(self._masked_file, named["image_id"], named["rendition"])
            if file is not None:
                body = await trio.to_thread.run_sync(self._draw, file, limiter=self._threads)
        if body is None:
            await PlainTextResponse("There are no masks of this image on the disk.\n", 404)(scope, receive, send)
            return
        headers = {"Cache-Control": f"private, max-age={_CACHED_S}"}
        await Response(body, media_type="image/png", headers=headers)(scope, receive, send)

    def _masked_file(self, db: StateConnection, image_id: str, rendition: str) -> "MaskedFile | None":
        file = output_file(db, image_id, rendition)
        transform = placing_of(file) if file else None
        masks = annotations_of(db, Segmentation, [image_id], None).get(image_id, [])[:_MAX_MASKS]
        held = loaded_list(db)
        if transform is None or not masks or held is None:
            return None
        from oidl.web.overlays import MaskedFile

        (card,) = image_summaries(db, [image_id])
        boxes = boxes_of(db, [image_id], None).get(image_id, [])
        colours = class_colours([*(box.label_name for box in boxes), *(mask.label_name for mask in masks)])
        version_dir = self._root_dir / Layout(self._root_dir, held.directory).version_dir
        directories = {subset: version_dir / subset for subset in loaded_subsets(db)}
        return MaskedFile(card.subset, transform, tuple(masks), colours, directories)

    def _draw(self, file: "MaskedFile") -> bytes | None:
        if self._overlays is None:
            from oidl.web.overlays import Overlays

            self._overlays = Overlays()
        return self._overlays.draw(file)
