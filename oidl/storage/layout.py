"""Builds the paths of output files from checked names. Pure.

`<root>/<version dir>/<subset>/<directory>/<first 3 of name>/<name>.<ext>`; a
rendition with an absolute directory is in `<directory>/<subset>/…`. Nothing
from the network becomes a part of a path unless it matches a pattern
here: an ImageID, a subset of the catalogue, or a Flickr photo's own name.

Two images never share a path. An ImageID belongs to one image, and only the image that claimed a
Flickr name in the state database uses it. Names come from the image's own row of the list,
never from the URL that answered. They are in lower case and a claim does not include the suffix,
so this also holds on filesystems that ignore case.
"""

import os
import re
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from urllib.parse import urlsplit

from oidl.errors import UsageError
from oidl.model import Job, Rendition, Source
from oidl.settings import Layout
from oidl.text import shortened

_IMAGE_ID = re.compile(r"[0-9a-f]{16}")
# Flickr names its files like 5721283_4c1a5f8c5c_o; the leading photo ID makes it unique on Flickr, not in every list.
_FLICKR_NAME = re.compile(r"[0-9]{1,20}_[0-9a-f]{1,20}(_[0-9a-z]{1,4})?")
_SUFFIX = re.compile(r"\.(jpe?g|png|gif|webp|tiff?)", re.IGNORECASE)
_PREFIX_CHARACTERS = 3
_NAME_BYTES, _PATH_BYTES = 255, 4095
# The URL in the row for each source; a mirror's copies are all JPEG.
_URLS: dict[Source, Callable[[Job], str]] = {
    Source.ORIGINAL: attrgetter("original_url"),
    Source.LOCAL: attrgetter("original_url"),
    Source.THUMBNAIL_300K: attrgetter("thumbnail_300k_url"),
}


def subset_directory(layout: Layout, subset: str, directory: str) -> Path:
    """The path of a rendition's directory for one subset."""
    if Path(directory).is_absolute():
        return Path(directory) / subset
    return layout.root_dir / layout.version_dir / subset / directory


def flickr_name(job: Job) -> str | None:
    """Flickr's name for the original of an image, from the URL in its row; None if the URL has no such name."""
    stem = Path(urlsplit(job.original_url).path.rpartition("/")[2]).stem
    return stem if _FLICKR_NAME.fullmatch(stem) else None


def output_path(layout: Layout, rendition: Rendition, job: Job, name: str, source: Source = Source.ORIGINAL) -> Path:
    """The final path of `rendition` under `name`: the ImageID, or a Flickr name that the image has claimed.

    A file kept byte for byte gets the suffix of the row's URL for `source`, or `.jpg` if the URL has none.
    """
    if not _IMAGE_ID.fullmatch(job.image_id):
        raise ValueError(f"not an ImageID: {job.image_id!r}")
    suffix = f".{rendition.format}"
    if rendition.mode is None:
        url: str = _URLS[source](job) if source in _URLS else ""
        published = Path(urlsplit(url).path.rpartition("/")[2]).suffix
        suffix = published if _SUFFIX.fullmatch(published) else ".jpg"
    directory = subset_directory(layout, job.subset, rendition.directory)
    if layout.prefix_dirs:
        directory /= name[:_PREFIX_CHARACTERS]
    return directory / f"{name}{suffix}"


def name_of(rendition: Rendition, parts: tuple[str, ...]) -> str | None:
    """The ImageID or Flickr name in a path below a directory of `rendition`; None if it cannot be a file of ours."""
    *prefix, name = parts
    stem, dot, suffix = name.partition(".")
    is_ours = f"{dot}{suffix}" == f".{rendition.format}" if rendition.mode else _SUFFIX.fullmatch(dot + suffix)
    if not is_ours or prefix not in ([], [stem[:_PREFIX_CHARACTERS]]):
        return None
    return stem if _IMAGE_ID.fullmatch(stem) or _FLICKR_NAME.fullmatch(stem) else None


def is_image_id(name: str) -> bool:
    """Whether `name` is an ImageID: 16 lower-case hex digits."""
    return _IMAGE_ID.fullmatch(name) is not None


def recorded_path(layout: Layout, path: Path) -> str:
    """`path` as recorded in `file.path`: relative to the root if it is inside it."""
    return str(path.relative_to(layout.root_dir) if path.is_relative_to(layout.root_dir) else path)


def actual_path(layout: Layout, recorded: str) -> Path:
    """The path that `recorded`, a value of `file.path`, refers to."""
    return layout.root_dir / recorded


def check_lengths(path: str, option: str) -> None:
    """Raises `UsageError` if a name in `path`, or all of it, is longer than the filesystems of Linux allow."""
    longest = max(len(os.fsencode(name)) for name in path.split("/"))
    if longest > _NAME_BYTES or len(os.fsencode(path)) > _PATH_BYTES:
        raise UsageError(
            f"{option}: {shortened(path, 50)} is too long", hint=f"use names of at most {_NAME_BYTES} bytes"
        )


def checked_subdirectory(name: str, option: str) -> str:
    """`name` as a directory below each subset; raises `UsageError` if it could lead anywhere else."""
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or path == Path() or not name.isprintable():
        raise UsageError(f"{option} must be a relative name without '..', not {name!r}")
    check_lengths(name, option)
    return str(path)
