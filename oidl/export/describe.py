"""The result of an export as text for people. Pure."""

from oidl.export.request import ExportRequest, ExportResult
from oidl.text import counted


def exported_text(result: ExportResult, request: ExportRequest) -> str:
    """Some lines: where it is, how much is in each split, and what was left out."""
    lines = [f"{result.dest}: {request.format.name}, of {result.rendition}"]
    kinds = " and ".join(result.kinds)
    for split, images in result.images.items():
        annotations = f" with {result.annotations[split]:,} {kinds}" if kinds else ""
        lines.append(f"  {split}: {counted(images, 'image')}{annotations}")
    if result.unseen_boxes:
        least = f" or less than {request.min_visible:g} of them" if request.min_visible else ""
        boxes = counted(result.unseen_boxes, "box", "boxes")
        lines.append(f"  left out: {boxes} of which nothing{least} is in the file")
    if result.missing_files:
        lines.append(
            f"  left out: {counted(result.missing_files, 'image')} with missing files; "
            "run `oidl verify --repair`, then `oidl run`"
        )
    if result.without_geometry:
        lines.append(
            f"  left out: {counted(result.without_geometry, 'file')} without a record of how they were made; "
            "run `oidl run --always-download` to make them again"
        )
    return "\n".join(lines)
