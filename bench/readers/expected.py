"""The facts that readers must find: what the database says about the resized images of a root."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from bench.readers.check import Check, Facts

_BOXES = "file_box WHERE rendition = 'images-resized'"
_FILES = "file WHERE rendition = 'images-resized'"
_MASKS = "segmentation AS s JOIN file AS f USING (image_id) WHERE f.rendition = 'images-resized'"
_LICENSED = "file JOIN image USING (image_id) WHERE rendition = 'images-resized'"
_OF_BOXES = {
    "images": f"SELECT count(DISTINCT image_id) FROM {_BOXES}",
    "boxes": f"SELECT count(*) FROM {_BOXES}",
    "largest class": f"SELECT display_name || ' ' || count(*) FROM {_BOXES} "
    "GROUP BY display_name ORDER BY count(*) DESC, display_name LIMIT 1",
    "box pixels": f"SELECT sum((x_max - x_min) * width * (y_max - y_min) * height) FROM {_BOXES}",
}
_LABELLED = f"SELECT image_id FROM {_BOXES} UNION SELECT image_id FROM file_label WHERE rendition = 'images-resized' AND confidence = 1"  # noqa: E501
_SHARDS = _OF_BOXES | {
    "images": f"SELECT count(*) FROM {_FILES}",
    "labels": "SELECT count(*) FROM file_label WHERE rendition = 'images-resized'",
    "licences": f"SELECT count(DISTINCT license) FROM {_LICENSED}",
    "authors": f"SELECT count(DISTINCT author) FROM {_LICENSED}",
}
_RIGHT = "SELECT 1.0"  # the average precision of exact results
_QUESTIONS: Mapping[str, Mapping[str, str]] = {
    "coco": _OF_BOXES
    | {
        "masks": f"SELECT count(*) FROM {_MASKS}",
        "AP": _RIGHT,
        "relationships": "SELECT count(*) FROM relationship JOIN file USING (image_id) "
        "WHERE rendition = 'images-resized'",
        "points": "SELECT count(*) FROM point JOIN file USING (image_id) WHERE rendition = 'images-resized'",
    },
    "coco, masks alone": {
        "images": f"SELECT count(DISTINCT s.image_id) FROM {_MASKS}",
        "masks": f"SELECT count(*) FROM {_MASKS}",
        "AP": _RIGHT,
    },
    "yolo": _OF_BOXES,
    "voc": _OF_BOXES,
    "imagefolder": _OF_BOXES
    | {
        "images": f"SELECT count(*) FROM {_FILES}",
        "licences": f"SELECT count(DISTINCT license) FROM {_LICENSED}",
        "authors": f"SELECT count(DISTINCT author) FROM {_LICENSED}",
        "folders": f"SELECT count(DISTINCT subset) FROM download JOIN {_FILES.replace(' WHERE', ' USING (image_id) WHERE')}",  # noqa: E501
    },
    "csv": _OF_BOXES
    | {
        "images": f"SELECT count(*) FROM ({_LABELLED})",
        "labels": f"SELECT count(*) FROM file_label WHERE rendition = 'images-resized' AND image_id IN ({_LABELLED})",
    },
    "pack webdataset": _SHARDS,
    "pack tfrecord": _SHARDS,
    "pack parquet": _SHARDS,
    "run webdataset": _SHARDS,
    "run tfrecord": _SHARDS | {"largest class": _OF_BOXES["largest class"].replace("display_name", "label_name")},
    "lists": {
        "success": "SELECT count(*) FROM success",
        "failure": "SELECT count(*) FROM failure",
        "titles": "SELECT count(DISTINCT title) FROM success WHERE title <> ''",
    },
    "database": {
        "images": "SELECT count(*) FROM image",
        "boxes": f"SELECT count(*) FROM {_BOXES}",
        "failures": "SELECT count(*) FROM failure",
    },
}


def expected_facts(database: Path, check: Check) -> Facts:
    """The facts that `check` must find."""
    questions = _QUESTIONS[check.about]
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as db:
        return {name: db.execute(questions[name]).fetchone()[0] for name in check.facts}
