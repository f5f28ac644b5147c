"""Everything that a run needs besides images: lists, metadata files, annotations; composed here for every command."""

import ssl
from collections import deque

import trio

from oidl.dataset.ids import read_image_ids
from oidl.net.throttle import Throttle
from oidl.pipeline.annotation_requirements import required_files
from oidl.pipeline.annotations import AnnotationLoader, AnnotationRequest
from oidl.pipeline.archives import ArchiveFetcher
from oidl.pipeline.context import Context
from oidl.pipeline.image_lists import ImageLists
from oidl.pipeline.limits import RunLimits
from oidl.pipeline.metadata import MetadataFetcher
from oidl.state.selection import check_where


class Inputs:
    """The image lists, metadata files and annotations of one run, and the limits that its traffic counts towards."""

    def __init__(self, context: Context, tls: ssl.SSLContext, request: AnnotationRequest) -> None:
        self._context = context
        self.limits = RunLimits(context.settings.limits, context.meter, context.stop)
        self.throttle = Throttle(context.settings.transfers.max_bytes_per_s)
        archives = ArchiveFetcher(context, tls, self.arrived, self.limits.begin_writing)
        self.lists = ImageLists(context, archives)
        self.metadata = MetadataFetcher(context, archives)
        self.annotations = AnnotationLoader(context, self.metadata, request)

    async def check(self) -> tuple[str, ...]:
        """The selected subsets that are not in the database yet.

        Raises `OidlError` for an impossible request, before anything is changed.
        """
        state, selection = self._context.state, self._context.settings.selection
        missing = await self.lists.find_missing()
        check_where(state.db, selection.where)
        if selection.image_ids:
            await trio.to_thread.run_sync(deque, read_image_ids(selection.image_ids), 0)
        await state.run(required_files, state.db, self._context.version, selection)
        return missing

    def count(self, count: int) -> None:
        """Counts bytes from the network."""
        self._context.meter.read(count)
        self.limits.count_bytes()

    async def arrived(self, count: int) -> None:
        """Counts bytes from the network, and waits if they exceed the user's limit."""
        self.count(count)
        await self.throttle.consume(count)
