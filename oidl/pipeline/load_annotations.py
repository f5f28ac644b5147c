"""The work of `oidl annotations load`: loads annotations into the state database, without images."""

from collections.abc import Sequence

import trio

from oidl.errors import ExitCode, MetadataError
from oidl.net.client import tls_context
from oidl.net.dns import cached_dns
from oidl.pipeline.annotations import AnnotationRequest
from oidl.pipeline.context import Context
from oidl.pipeline.ending import RunEnd, run_end
from oidl.pipeline.inputs import Inputs


async def load_annotations(context: Context, request: AnnotationRequest) -> RunEnd:
    """Loads the files of `request`, and first the image list if it is needed and missing.

    Raises `OidlError` if nothing could be done at all.
    """
    settings = context.settings
    inputs = Inputs(context, tls_context(), request)
    missing_subsets = await inputs.check()
    is_listed = not (missing_subsets and settings.download_images)
    if is_listed and (already := inputs.annotations.already_loaded()):
        context.say(already)
        return RunEnd(ExitCode.SETTLED, "finished")
    with cached_dns(settings.transfers.dns_timeout_s):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(inputs.limits.watch, [settings.root_dir, settings.state_db.parent])
            missing = await _load(context, inputs)
            nursery.cancel_scope.cancel()
    end = run_end(context.stop, missing)
    if end.outcome == "limit":
        context.say(f"stopped: {context.stop.limit}")
    return end


async def _load(context: Context, inputs: Inputs) -> Sequence[MetadataError]:
    """Loads everything, until the first request to stop; returns the errors of files that could not be fetched."""
    missing: list[MetadataError] = []

    async def load() -> None:
        if context.settings.selection.classes:
            await inputs.annotations.load_classes()
        if context.settings.download_images:
            await inputs.lists.load()
        if context.settings.selection.label_types:
            await inputs.annotations.load_for_selection()
        missing.extend(await inputs.annotations.load_requested())

    await context.stop.unless_draining(load)
    return missing
