"""Boxes and labels of a sample as JSON text.

Text, and not lists, because readers infer the columns of a data set from its first samples, which may have no boxes.
"""

import json
from dataclasses import asdict, replace

from oidl.model.sample import Sample

_NUMBER = "number"  # it belongs to a label map, which a tar has not


def with_annotations(sample: Sample) -> Sample:
    """`sample` with its boxes and labels as text in its facts; "" if it has neither."""
    if not sample.boxes and not sample.labels:
        return sample
    text = {
        "boxes": [_plain(asdict(box)) for box in sample.boxes],
        "labels": [_plain(asdict(label)) for label in sample.labels],
    }
    annotations = json.dumps(text, ensure_ascii=False, separators=(",", ":"))
    return replace(sample, facts=sample.facts._replace(annotations=annotations))


def _plain(fields: dict[str, object]) -> dict[str, object]:
    return {
        name: round(value, 6) if isinstance(value, float) else value
        for name, value in fields.items()
        if name != _NUMBER and not (name == "mask" and not value)
    }
