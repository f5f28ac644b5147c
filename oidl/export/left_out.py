"""What an export or a pack left out, for people: the lines that both of them say. Pure."""

from collections.abc import Iterator

from oidl.export.pack.request import PackResult
from oidl.export.remote import COPY_BACK
from oidl.export.request import ExportResult
from oidl.hints import command
from oidl.text import counted


def left_out_lines(result: ExportResult | PackResult) -> Iterator[str]:
    """A line for each kind of thing that was left out: how many, why, and what to do about it."""
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


def unfinished_lines(result: ExportResult | PackResult, again: str) -> Iterator[str]:
    """A line about the images that are left, if there are any; `again` is the command that includes them later."""
    if result.left:
        yield (
            f"  {counted(result.left, 'image')} of this root {'is' if result.left == 1 else 'are'} not done yet "
            f"(see {command('status')}); once they are, run {again} with the same options"
        )
