"""Image folder: `<split>/<name>.jpg` and `<split>/metadata.jsonl`, as Hugging Face `datasets` reads them.

`load_dataset("imagefolder", data_dir=…)` turns every directory into a split, and the keys of `metadata.jsonl`, which
has one line per image, into columns. `objects` has the boxes (left, top, width and height in pixels) and the names of
their classes, `labels` the names of classes that are in the image; each only if such annotations are exported.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TextIO

from oidl.export.format import ExportTarget, Format, WriteImage
from oidl.export.image import LabelledImage
from oidl.model import LabelType

METADATA = "{split}/metadata.jsonl"


@contextmanager
def _write(target: ExportTarget) -> Iterator[WriteImage]:
    """Writes `metadata.jsonl` for every split that has images; readers reject an empty one."""
    lines: dict[str, TextIO] = {}
    with ExitStack() as files:

        def add(image: LabelledImage) -> None:
            if image.split not in lines:
                lines[image.split] = files.enter_context(target.open_text(METADATA.format(split=image.split)))
            record = _record(image)
            if LabelType.BOXES in target.kinds:
                record["objects"] = _objects(image)
            if LabelType.LABELS in target.kinds:
                names = (category.name for category, label in image.labels if label.is_there)
                record["labels"] = list(dict.fromkeys(names))
            lines[image.split].write(json.dumps(record, ensure_ascii=False) + "\n")

        yield add


IMAGEFOLDER = Format(
    "imagefolder",
    (LabelType.BOXES, LabelType.LABELS),
    _write,
    files=(METADATA,),
    images="{split}",
    takes_all=True,
)


def _record(image: LabelledImage) -> dict[str, Any]:
    file = image.file
    return {
        "file_name": image.name,
        "image_id": file.image_id,
        "width": image.width,
        "height": image.height,
        "title": file.title,
        "author": file.author,
        "author_url": file.author_profile_url,
        "license": file.license,
        "landing_url": file.original_landing_url,
    }


def _objects(image: LabelledImage) -> dict[str, Any]:
    boxes = [each.box for each in image.boxes]
    return {
        "bbox": [[round(side, 2) for side in (box.left, box.top, box.width, box.height)] for box in boxes],
        "categories": [each.category.name for each in image.boxes],
    }
