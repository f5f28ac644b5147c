"""CSV: `boxes-<subset>.csv`, a row for every box with its pixels in the file, and `labels-<subset>.csv`.

`path` is that of the state database: relative to the root directory where it lies inside it.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from oidl.report.labels.picture import Add, Picture, Target
from oidl.report.labels.text import csv_line, number
from oidl.storage.atomic import atomic_text

ROWS = "{kind}-{subset}.csv"

_FILE = ("image_id", "path", "width", "height", "label_name", "display_name")
_BOX = (
    "x_min", "y_min", "x_max", "y_max", "visible", "source", "confidence",
    "is_occluded", "is_truncated", "is_group_of", "is_depiction", "is_inside",
)  # fmt: skip
_LABEL = ("source", "confidence")


@contextmanager
def table(target: Target) -> Iterator[Add]:
    """Writes a file for every subset and kind."""
    with ExitStack() as files:
        outputs = {}
        for kind, columns in (("boxes", _BOX), ("labels", _LABEL)):
            for subset in target.image_directories if kind in target.kinds else ():
                output = files.enter_context(atomic_text(target.dest / ROWS.format(kind=kind, subset=subset)))
                output.write(csv_line((*_FILE, *columns)))
                outputs[kind, subset] = output

        def add(picture: Picture) -> None:
            file = picture.file
            of_file = (file.image_id, file.path, picture.width, picture.height)
            for thing in picture.things:
                box, published = thing.box, thing.published
                outputs["boxes", file.subset].write(
                    csv_line(
                        (
                            *of_file,
                            thing.category.label_name,
                            thing.category.name,
                            *map(number, (box.left, box.top, box.right, box.bottom)),
                            f"{box.visible:.3f}",
                            published.source,
                            f"{published.confidence:g}",
                            *(getattr(published, name) for name in _BOX[-5:]),
                        )
                    )
                )
            for category, label in picture.labels:
                outputs["labels", file.subset].write(
                    csv_line((*of_file, category.label_name, category.name, label.source, f"{label.confidence:g}"))
                )

        yield add
