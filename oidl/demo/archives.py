"""Packs a demo's lists as V3 was published: tar.gz archives, and a catalogue with their URLs.

The same images give the same bytes, so sizes and MD5s stay true.
"""

import gzip
import hashlib
import io
import json
import random
import tarfile
from collections.abc import Iterable, Mapping, Sequence

from oidl.dataset.rows import Quoting, format_row, header
from oidl.demo.licenses import catalogue_table
from oidl.model import FileKind, Image

VERSION = "3"
DIRECTORY = "2017_11"
SUBSETS = ("train", "validation", "test")
IMAGE_LIST = "images_demo.tar.gz"
CLASSES = "classes_demo.tar.gz"
LABELS = "annotations_human_demo.tar.gz"

_KINDS = {
    IMAGE_LIST: FileKind.IMAGE_LIST,
    CLASSES: FileKind.CLASSES,
    LABELS: FileKind.LABELS,
}
_QUOTING = Quoting.AUTHOR_TITLE
_CLASSES = {
    "/m/01b2w5": "Sunset",
    "/m/01bqvp": "Sky",
    "/m/01bqwh": "Mist",
    "/m/01c_0l": '"Ducks, geese and swans"',
    "/m/06m_p": "Sun",
    "/m/09d_r": "Mountain",
}


def pack(images: Sequence[Image], rng: random.Random) -> dict[str, bytes]:
    """The archives by name, `IMAGE_LIST` first; the lists keep the order of `images`."""
    image_lists = {
        f"{DIRECTORY}/{subset}/images.csv": header(_QUOTING)
        + "".join(format_row(image, _QUOTING) for image in images if image.subset == subset)
        for subset in SUBSETS
    }
    labels = {
        f"{DIRECTORY}/{subset}/annotations-human.csv": "ImageID,Source,LabelName,Confidence\n"
        + "".join(_labels([image for image in images if image.subset == subset], rng))
        for subset in SUBSETS
    }
    # The published file has no header, and carriage returns.
    classes = {
        f"{DIRECTORY}/class-descriptions.csv": "".join(f"{name},{words}\r\n" for name, words in _CLASSES.items())
    }
    return {
        IMAGE_LIST: _tar_gz(image_lists),
        CLASSES: _tar_gz(classes),
        LABELS: _tar_gz(labels),
    }


def catalogue(archives: Mapping[str, bytes], base_url: str) -> str:
    """A catalogue, as TOML text, of one version with its `archives` under `base_url`."""
    files = [
        f'    {{ name = "{name}", kind = "{_KINDS[name]}", url = "{base_url}/{archive_path(name)}", '
        f'bytes = {len(body)}, md5 = "{hashlib.md5(body, usedforsecurity=False).hexdigest()}" }},'
        for name, body in archives.items()
    ]
    lines = [
        f"[version.{VERSION}]",
        'title = "A small Open Images V3 of generated photos"',
        f'directory = "{DIRECTORY}"',
        f"subsets = {json.dumps(SUBSETS)}",
        "files = [",
        *files,
        "]",
        *catalogue_table(base_url),
    ]
    return "\n".join(lines) + "\n"


def archive_path(name: str) -> str:
    """The relative path of an archive in a demo; its URL ends in this path."""
    return f"{DIRECTORY}/{name}"


def _labels(images: Sequence[Image], rng: random.Random) -> Iterable[str]:
    for image in images:
        for name in sorted(rng.sample(list(_CLASSES), 3)):
            yield f"{image.image_id},verification,{name},{rng.randint(0, 1)}\n"


def _tar_gz(members: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, text in members.items():
            body = text.encode()
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return gzip.compress(packed.getvalue(), mtime=0)  # without a time, so that the bytes are the same tomorrow
