"""`croissant.json`: a machine-readable description of an export, in MLCommons Croissant 1.0.

The vocabulary is that of http://mlcommons.org/croissant/1.0. A text file has its SHA-256; files that exist once per
image are a `FileSet`. The record set `images` joins the rows of `ATTRIBUTION.csv` with the image files.
"""

import hashlib
import json
import mimetypes
from collections.abc import Collection, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from oidl.export.attribution import ATTRIBUTION, COLUMNS, Attribution
from oidl.export.format import ExportTarget, Format

CROISSANT = "croissant.json"

ANNOTATIONS_LICENSE = "https://creativecommons.org/licenses/by/4.0/"
_HOME = "https://storage.googleapis.com/openimages/web/index.html"
_PUBLISHED = {
    "1": "2016-09", "2": "2017-07", "3": "2017-11", "4": "2018-04", "5": "2019-05", "6": "2020-02", "7": "2022-10",
}  # fmt: skip
CITATION = (
    "@article{OpenImages, author = {Alina Kuznetsova and Hassan Rom and Neil Alldrin and Jasper Uijlings and Ivan "
    "Krasin and Jordi Pont-Tuset and Shahab Kamali and Stefan Popov and Matteo Malloci and Alexander Kolesnikov and "
    "Tom Duerig and Vittorio Ferrari}, title = {The Open Images Dataset V4: Unified image classification, object "
    "detection, and visual relationship detection at scale}, year = {2020}, journal = {IJCV}}"
)
_TYPES = {".jsonl": "application/jsonlines", ".yaml": "application/yaml", ".jxl": "image/jxl", ".avif": "image/avif"}
_FILES = "image-files"
_URLS = ("author_url", "license", "landing_url")
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def write_croissant(target: ExportTarget, form: Format, version: str, attribution: Attribution) -> None:
    """Writes the file; call it after all other files of the export are written."""
    kinds = " and ".join(target.kinds)
    description = (
        f"Images of {target.title}, rendition {target.rendition}{f', with their {kinds}' if kinds else ''}, exported "
        f"by oidl. {ATTRIBUTION} has the licence of each image; the annotations are licensed by Google LLC "
        f"under {ANNOTATIONS_LICENSE}."
    )
    described = described_dataset(
        f"{target.title}, {target.rendition}, {form.name}",
        description,
        version,
        attribution.licenses | ({ANNOTATIONS_LICENSE} if kinds else set()),
        [*_files(target, form), _images(target, form, attribution)],
        [_records()],
    )
    with target.open_text(CROISSANT) as file:
        file.write(described)


def described_dataset(
    name: str,
    description: str,
    version: str,
    licenses: Collection[str],
    distribution: Sequence[dict[str, Any]],
    record_sets: Sequence[dict[str, Any]],
) -> str:
    """The text of the file for a data set made from `version` of Open Images, with these files and record sets."""
    described = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": description,
        "url": _HOME,
        "license": sorted(licenses),
        "citeAs": CITATION,
        "version": f"{version}.0.0",
        "datePublished": _PUBLISHED.get(version),
        "distribution": distribution,
        "recordSet": record_sets,
    }
    text = json.dumps({key: value for key, value in described.items() if value}, ensure_ascii=False, indent=1)
    return f"{text}\n"


def described_file(name: str, size_bytes: int, sha256: str) -> dict[str, Any]:
    """A file of the data set: `name` is relative to it, `sha256` is in hex."""
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{size_bytes} B",
        "encodingFormat": _type(name),
        "sha256": sha256,
    }


def attribution_fields() -> list[dict[str, Any]]:
    """The columns of `ATTRIBUTION.csv` as fields of a record set `images`."""
    return [
        {
            "@type": "cr:Field",
            "@id": f"images/{name}",
            "name": name,
            "dataType": "sc:URL" if name in _URLS else "sc:Text",
            "source": {"fileObject": {"@id": ATTRIBUTION}, "extract": {"column": name}},
        }
        for name in COLUMNS
    ]


def _files(target: ExportTarget, form: Format) -> Iterator[dict[str, Any]]:
    for name in (ATTRIBUTION, *form.names(target.splits, target.kinds)):
        if "*" in name:
            yield {
                "@type": "cr:FileSet",
                "@id": name,
                "name": name,
                "includes": name,
                "encodingFormat": _type(name),
            }
        elif (path := target.directory / name).is_file():
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            yield described_file(name, path.stat().st_size, digest)


def _images(target: ExportTarget, form: Format, attribution: Attribution) -> dict[str, Any]:
    directories = dict.fromkeys(form.images.format(split=split) for split in target.splits)
    suffixes = sorted(attribution.suffixes) or [".jpg"]
    return {
        "@type": "cr:FileSet",
        "@id": _FILES,
        "name": _FILES,
        "includes": [f"{directory}/*{suffix}" for directory in directories for suffix in suffixes],
        "encodingFormat": sorted({_type(suffix) for suffix in suffixes}),
    }


def _records() -> dict[str, Any]:
    columns = attribution_fields()
    file_name = columns[COLUMNS.index("file_name")]
    # Names are unique, and mlcroissant 1.1 can join by names, but not by paths.
    file_name["source"]["transform"] = {"regex": ".*/(.+)"}
    file_name["references"] = {"fileSet": {"@id": _FILES}, "extract": {"fileProperty": "filename"}}
    content = {
        "@type": "cr:Field",
        "@id": "images/image",
        "name": "image",
        "dataType": "sc:ImageObject",
        "source": {"fileSet": {"@id": _FILES}, "extract": {"fileProperty": "content"}},
    }
    return {
        "@type": "cr:RecordSet",
        "@id": "images",
        "name": "images",
        "key": {"@id": "images/image_id"},
        "field": [*columns, content],
    }


def _type(name: str) -> str:
    suffix = PurePosixPath(f"x{name}" if name.startswith(".") else name).suffix
    return _TYPES.get(suffix) or mimetypes.types_map.get(suffix) or "application/octet-stream"
