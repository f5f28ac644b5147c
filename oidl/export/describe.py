"""The result of an export as text for people. Pure."""

from oidl.export.request import ExportRequest, ExportResult


def exported_text(exported: ExportResult, request: ExportRequest) -> str:
    """Some lines: where it is, how much of each subset, and what was left out."""
    lines = [f"{exported.dest}: {request.format.name}, of {exported.rendition}"]
    lines += [
        f"  {subset}: {images:,} images with {exported.annotations[subset]:,} {' and '.join(exported.kinds)}"
        for subset, images in exported.images.items()
    ]
    if exported.unseen_boxes:
        least = f" or less than {request.min_visible:g} of them" if request.min_visible else ""
        lines.append(f"  left out: {exported.unseen_boxes:,} boxes of which nothing{least} is in the file")
    if exported.elsewhere:
        lines.append(f"  left out: {exported.elsewhere:,} files that do not lie in their rendition's directory")
    if exported.without_geometry:
        lines.append(
            f"  left out: {exported.without_geometry:,} files of which it was not noted how they were made; "
            "`oidl run --always-download` makes them anew"
        )
    return "\n".join(lines)
