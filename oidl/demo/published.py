"""A demo's files as V7 was published: plain CSV and JSON, and ZIPs of masks, with the names of the built-in catalogue.

The same photos give the same bytes, so sizes and MD5s stay true.
"""

import hashlib
import io
import json
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean
from typing import TypeAlias
from urllib.parse import urlsplit

from oidl.dataset.catalogue import read_catalogue
from oidl.dataset.published import PublishedFile
from oidl.dataset.rows import Quoting, ReadReport, format_row, header, read_images
from oidl.demo import annotations
from oidl.demo.annotations import RELATIONSHIPS, AnnotatedImage
from oidl.demo.classes import ATTRIBUTES, BOXABLE, CLASSES, DRAWN, hierarchy
from oidl.demo.licenses import catalogue_table
from oidl.model import Extent, FileKind, Image

VERSION = "7"
DIRECTORY = "v7"
SUBSETS = ("train", "validation", "test")

_BUCKET = "/openimages/"
_QUOTING = Quoting.MINIMAL
_ANY_TIME = (2022, 10, 25, 0, 0, 0)  # of the files in a ZIP
_Photos: TypeAlias = Sequence[AnnotatedImage]


def publish(photos: _Photos) -> dict[PublishedFile, bytes]:
    """Every file that V7 publishes about `photos`; image lists keep their order."""
    by_id = sorted(photos, key=lambda photo: photo.image.image_id)
    subsets = {photo.image.subset for photo in photos}
    files = {}
    for file in read_catalogue(None)[VERSION].files:
        make = _MAKERS.get(file.kind)
        if make is None or (file.subset and file.subset not in subsets):  # with few photos, a subset may have none
            continue
        ordered = photos if file.kind is FileKind.IMAGE_LIST else by_id
        files[file] = make(file, [photo for photo in ordered if file.subset in (None, photo.image.subset)])
    return files


def path_of(file: PublishedFile) -> str:
    """The relative path of `file` in a demo; its URL ends in this path."""
    return urlsplit(file.url).path.removeprefix(_BUCKET).removeprefix("/")


def catalogue(files: Mapping[PublishedFile, bytes], base_url: str) -> str:
    """A catalogue, as TOML text, of one version with its `files` under `base_url`."""
    lists = (body for file, body in files.items() if file.kind is FileKind.IMAGE_LIST)
    images = [image for body in lists for image in _images(body)]
    sizes = [image.original_size for image in images]
    present = {image.subset for image in images}
    lines = [
        *([f"mean_original_bytes = {round(fmean(sizes))}"] if sizes else []),
        f"[version.{VERSION}]",
        'title = "A small Open Images V7 of generated photos"',
        f'directory = "{DIRECTORY}"',
        f"subsets = {json.dumps([subset for subset in SUBSETS if subset in present])}",
        "files = [",
        *(f"    {{ {_entry(file, body, base_url)} }}," for file, body in files.items()),
        "]",
        "",
        "[mirror.cvdf]",
        f'url = "{base_url}/{{subset}}/{{image_id}}.jpg"',
        "absent = [404]",
        "mean_bytes = 100_000",
        "max_bytes = 3_000_000",
        *catalogue_table(base_url),
    ]
    return "\n".join(lines) + "\n"


def _entry(file: PublishedFile, body: bytes, base_url: str) -> str:
    entry = [f'kind = "{file.kind}"']
    entry += [f'subset = "{file.subset}"'] if file.subset else []
    entry += [f'extent = "{file.extent}"'] if file.extent else []
    entry += [f'url = "{base_url}/{path_of(file)}"']
    if body:  # without photos the captions are an empty file
        entry += [f"bytes = {len(body)}", f'md5 = "{hashlib.md5(body, usedforsecurity=False).hexdigest()}"']
    entry += ["optional = true"] if file.is_optional else []
    if file.kind is FileKind.IMAGE_LIST:
        counts = Counter(image.subset for image in _images(body))
        entry.append(f"images = {{ {', '.join(f'{subset} = {count}' for subset, count in counts.items())} }}")
    return ", ".join(entry)


def _images(body: bytes) -> Iterable[Image]:
    every, lines = frozenset(SUBSETS), io.StringIO(body.decode())
    return read_images(lines, name="list", subsets=every, known_subsets=every, skipped=ReadReport())


def _image_list(file: PublishedFile, photos: _Photos) -> bytes:
    if file.extent is Extent.BOXABLE:
        photos = [photo for photo in photos if photo.boxes]
    elif file.extent is Extent.LABELS:
        photos = [photo for photo in photos if photo.human]
    return (header(_QUOTING) + "".join(format_row(photo.image, _QUOTING) for photo in photos)).encode()


def _masks(file: PublishedFile, photos: _Photos) -> bytes:
    """The ZIP of the masks of one shard: the name of the archive ends in the first character of their ImageIDs."""
    shard = file.name.removesuffix(".zip")[-1]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for photo in photos:
            for box in photo.boxes if photo.image.image_id.startswith(shard) else ():
                if box.box_id is not None:
                    archive.writestr(zipfile.ZipInfo(photo.mask_path(box), _ANY_TIME), box.seen.mask)
    return packed.getvalue()


def _described(names: Mapping[str, str]) -> bytes:
    rows = (f'{name},"{words}"' if "," in words else f"{name},{words}" for name, words in sorted(names.items()))
    return "".join(f"{row}\r\n" for row in ("LabelName,DisplayName", *rows)).encode()


def _lines(rows: Iterable[str]) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


def _text(make: Callable[[_Photos], str]) -> Callable[[PublishedFile, _Photos], bytes]:
    return lambda file, photos: make(photos).encode()


def _fixed(body: bytes) -> Callable[[PublishedFile, _Photos], bytes]:
    return lambda file, photos: body


_MAKERS: dict[FileKind, Callable[[PublishedFile, _Photos], bytes]] = {
    FileKind.IMAGE_LIST: _image_list,
    FileKind.CLASSES: _fixed(_described(CLASSES)),
    FileKind.BOXABLE_CLASSES: _fixed(_described(BOXABLE)),
    FileKind.SEGMENTATION_CLASSES: _fixed(_lines(sorted(drawn.label_name for drawn in DRAWN))),
    FileKind.ATTRIBUTE_CLASSES: _fixed(_lines(f"{name},{words}" for name, words in ATTRIBUTES.items())),
    FileKind.RELATIONSHIP_CLASSES: _fixed(_lines(f"{word},{word}" for word in RELATIONSHIPS)),
    FileKind.RELATIONSHIP_TRIPLETS: _text(annotations.triplets),
    FileKind.HIERARCHY: _fixed(json.dumps(hierarchy(), indent=1).encode()),
    FileKind.BOXES: lambda file, photos: annotations.boxes(photos, clicks=file.subset == "train").encode(),
    FileKind.LABELS: _text(annotations.human_labels),
    FileKind.BOXABLE_LABELS: lambda file, photos: annotations.human_labels(photos, boxable_only=True).encode(),
    FileKind.MACHINE_LABELS: _text(annotations.machine_labels),
    FileKind.SEGMENTATIONS: _text(annotations.segmentations),
    FileKind.MASKS: _masks,
    FileKind.RELATIONSHIPS: _text(annotations.relationships),
    FileKind.POINTS: _text(annotations.points),
    FileKind.CAPTIONS: _text(annotations.captions),
}
"""The function that makes each kind of file; the other kinds of V7 are too much for a demo."""
