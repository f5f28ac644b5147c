"""An export as text for people: its progress and its result. Pure."""

from collections import Counter

from oidl.errors import UsageError
from oidl.export.files import ImageFiles
from oidl.export.left_out import left_out_lines, unfinished_lines
from oidl.export.remote import COPY_BACK
from oidl.export.request import ExportRequest, ExportResult
from oidl.hints import command
from oidl.model import LabelType
from oidl.progress.format import duration
from oidl.state.licenses import UnmetLicense
from oidl.text import counted


def export_line(now: ExportResult, request: ExportRequest, elapsed_s: float) -> str:
    """The progress of an export after `elapsed_s` seconds, in one line of under 80 characters."""
    written = sum(now.images.values())
    rate = now.files_read / elapsed_s if elapsed_s else 0.0
    if limit := request.selection.limit:
        return f"{written:,} of {limit:,} images exported · {rate:.0f} images/s"
    parts = [f"{now.files_read:,} of {counted(now.total, 'image')}", f"{written:,} exported", f"{rate:.0f} images/s"]
    if rate and now.total > now.files_read:
        parts.append(duration((now.total - now.files_read) / rate))
    return " · ".join(parts)


def exported_text(result: ExportResult, request: ExportRequest) -> str:
    """The result in a few lines: the directory, the contents of each split, and what was left out."""
    lines = [f"{result.dest}: {request.format.name}, rendition {result.rendition}"]
    for split, images in result.images.items():
        counts = ", ".join(_counted(result.annotations[split][kind], kind) for kind in result.kinds)
        lines.append(f"  {split}: {counted(images, 'image')}{' with ' if counts else ''}{counts}")
    if result.from_shards and request.image_files is not ImageFiles.COPY:
        are = "is a copy" if result.from_shards == 1 else "are copies"
        lines.append(f"  {counted(result.from_shards, 'image')} {are}, because nothing can link into a shard")
    if without_mask := _without_mask(result, request):
        lines.append(
            f"  {_counted(without_mask, LabelType.BOXES)} without a mask: "
            "`--label-types segmentations` leaves them out, `--box-polygons` outlines them"
        )
    least = f", or less than {request.min_visible:g} of each is inside" if request.min_visible else ""
    for kind, count in result.unseen.items():
        lines.append(f"  left out: {_counted(count, kind)}, because they lie outside the image{least}")
    if result.missing_files:
        lines.append(
            f"  left out: {counted(result.missing_files, 'image')} with missing files; "
            f"run {command('verify', '--repair')}, then {command('run')}"
        )
    lines += left_out_lines(result)
    lines += unfinished_lines(result, command("export"))
    return "\n".join(lines)


def nothing_exported(result: ExportResult, unmet: UnmetLicense | None) -> UsageError:
    """The error for an export without an image: why there is none, and what to do about it."""
    if unmet:
        return UsageError(f"nothing was exported: {unmet.why}", hint=unmet.hint)
    unusable = result.missing_files + result.misplaced_files + result.without_geometry
    if result.files_read > result.missing_files + result.remote_files:
        kinds = " or ".join(result.kinds)
        why = f"of {counted(result.files_read, 'chosen image')}, none has {kinds} that fit the options"
        hint = f"choose other images or --label-types, or use --with-empty to export images without {kinds}"
    elif result.remote_files:
        why = f"{counted(result.remote_files, 'chosen image')} are in shards that are only in {result.remote_store}"
        hint = COPY_BACK
    elif unusable:
        why = f"the files of {counted(unusable, 'chosen image')} are missing, or not those that were recorded"
        hint = f"run {command('verify', '--repair')}, then {command('run')}"
    else:
        why = f"no chosen image has a file of the rendition {result.rendition}"
        hint = f"choose other images, or download these first with {command('run')} and the same options"
    return UsageError(f"nothing was exported: {why}", hint=hint)


def _without_mask(result: ExportResult, request: ExportRequest) -> int:
    """The number of boxes without a mask, if both were requested and readers of masks would fail on them."""
    if request.box_polygons or not {LabelType.BOXES, LabelType.SEGMENTATIONS} <= set(result.kinds):
        return 0
    counts = sum(result.annotations.values(), Counter())
    return counts[LabelType.BOXES] - counts[LabelType.SEGMENTATIONS]


def _counted(number: int, kind: LabelType) -> str:
    """`1 box`, `2 boxes`; all other kinds form the plural with `s`."""
    return counted(number, "box" if kind is LabelType.BOXES else kind.removesuffix("s"), kind)
