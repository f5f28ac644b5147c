"""CSV: `boxes-<split>.csv`, one row per box with its pixels in the file, and `labels-<split>.csv`.

`file_name` is the path of the image, relative to the export. As in `ATTRIBUTION.csv`, a class name or source that a
spreadsheet would run as a formula gets an apostrophe before it.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from oidl.export.format import ExportTarget, Format, WriteImage
from oidl.export.image import LabelledImage
from oidl.export.text import cell, csv_line, number
from oidl.model import LabelType

ROWS = "{kind}-{split}.csv"

_FILE = ("image_id", "file_name", "width", "height", "label_name", "display_name")
_BOX = (
    "x_min", "y_min", "x_max", "y_max", "visible", "source", "confidence",
    "is_occluded", "is_truncated", "is_group_of", "is_depiction", "is_inside",
)  # fmt: skip
_LABEL = ("source", "confidence")


@contextmanager
def _write(target: ExportTarget) -> Iterator[WriteImage]:
    """Writes a file for every split and kind."""
    with ExitStack() as files:
        outputs = {}
        for kind, columns in (("boxes", _BOX), ("labels", _LABEL)):
            for split in target.splits if kind in target.kinds else ():
                output = files.enter_context(target.open_text(ROWS.format(kind=kind, split=split)))
                output.write(csv_line((*_FILE, *columns)))
                outputs[kind, split] = output

        def add(image: LabelledImage) -> None:
            file = image.file
            of_file = (file.image_id, image.path, image.width, image.height)
            for each in image.boxes:
                box, published = each.box, each.published
                outputs["boxes", image.split].write(
                    csv_line(
                        (
                            *of_file,
                            each.category.label_name,
                            cell(each.category.name),
                            *map(number, (box.left, box.top, box.right, box.bottom)),
                            f"{box.visible:.3f}",
                            cell(published.source),
                            f"{published.confidence:g}",
                            *(getattr(published, name) for name in _BOX[-5:]),
                        )
                    )
                )
            for category, label in image.labels:
                outputs["labels", image.split].write(
                    csv_line(
                        (
                            *of_file,
                            category.label_name,
                            cell(category.name),
                            cell(label.source),
                            f"{label.confidence:g}",
                        )
                    )
                )

        yield add


BOXES_CSV = Format("csv", (LabelType.BOXES, LabelType.LABELS), _write, files=(ROWS,))
