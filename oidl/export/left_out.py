"""What an export or a pack left out, for people: the lines that both of them say. Pure."""

from collections.abc import Iterator

from oidl.export.pack.request import PackResult
from oidl.export.remote import COPY_BACK
from oidl.export.request import ExportResult
from oidl.hints import command
from oidl.text import counted


def left_out_lines(result: ExportResult | PackResult, again: str) -> Iterator[str]:
    """A line for each kind of thing that was left out: how many, why, and what to do about it.

    `again` is the command that takes in what is fetched later.
    """
    if result.retries:
        wait = f"{counted(result.retries, 'image')} that {'waits' if result.retries == 1 else 'wait'}"
        yield f"  left out: {wait} for another attempt; run {command('run')}, then {again} with the same options"
    if result.unread_masks:
        masks = counted(result.unread_masks, "mask")
        yield f"  left out: {masks} that could not be read, the first is {result.unread_mask}"
    if result.remote_files:
        images = counted(result.remote_files, "image")
        yield f"  left out: {images} in shards that are only in {result.remote_store}; {COPY_BACK}"
    if result.misplaced_files:
        yield (
            f"  left out: {counted(result.misplaced_files, 'image')} whose row names a file that oidl did not write "
            f"for it; run {command('verify', '--repair')}, then {command('run')}"
        )
    if result.without_geometry:
        yield (
            f"  left out: {counted(result.without_geometry, 'file')} without a record of how they were made; "
            f"run {command('run', '--always-download')} to make them again"
        )
