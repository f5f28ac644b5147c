"""The path of an output file, from names that are checked first. Pure.

`<root>/<version dir>/<subset>/<directory>/<first 3 of name>/<name>.<ext>`; a
rendition with an absolute directory lies in `<directory>/<subset>/…`. Nothing
that came over the network becomes a part of a path unless it matches a pattern
here: an ImageID, a subset of the catalogue, or a Flickr photo's own name.
"""

import re
from pathlib import Path
from urllib.parse import urlsplit

from oidl.errors import UsageError
from oidl.model import Rendition, Work
from oidl.settings import FileNames, Layout

_IMAGE_ID = re.compile(r"[0-9a-f]{16}")
# 5721283_4c1a5f8c5c_o, as Flickr names its files; the leading photo id makes it unique.
_FLICKR_NAME = re.compile(r"[0-9]{1,20}_[0-9a-f]{1,20}(_[0-9a-z]{1,4})?")
_SUFFIX = re.compile(r"\.(jpe?g|png|gif|webp|tiff?)", re.IGNORECASE)
_PREFIX_CHARACTERS = 3


def subset_directory(layout: Layout, subset: str, directory: str) -> Path:
    """Where the files of one rendition directory lie, for one subset."""
    if Path(directory).is_absolute():
        return Path(directory) / subset
    return layout.root_dir / layout.version_dir / subset / directory


def output_path(layout: Layout, rendition: Rendition, work: Work, url: str) -> Path:
    """The final path of `rendition` of an image whose bytes are those of `url`."""
    if not _IMAGE_ID.fullmatch(work.image_id):
        raise ValueError(f"not an ImageID: {work.image_id!r}")
    published = Path(urlsplit(url).path.rpartition("/")[2])
    name = work.image_id
    if layout.name_files_by is FileNames.FLICKR and _FLICKR_NAME.fullmatch(published.stem):
        name = published.stem
    suffix = f".{rendition.format}"
    if rendition.mode is None:
        suffix = published.suffix if _SUFFIX.fullmatch(published.suffix) else ".jpg"
    directory = subset_directory(layout, work.subset, rendition.directory)
    if layout.prefix_dirs:
        directory /= name[:_PREFIX_CHARACTERS]
    return directory / f"{name}{suffix}"


def name_of(rendition: Rendition, parts: tuple[str, ...]) -> str | None:
    """The ImageID or Flickr name in a path below a directory of `rendition`; None if no file of ours is called so."""
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
    """`path` as `file.path` holds it: relative to the root where it lies inside it."""
    return str(path.relative_to(layout.root_dir) if path.is_relative_to(layout.root_dir) else path)


def actual_path(layout: Layout, recorded: str) -> Path:
    """The path that `file.path` stands for."""
    return layout.root_dir / recorded


def checked_subdirectory(name: str, option: str) -> str:
    """`name` as a directory below each subset; raises `UsageError` if it could lead anywhere else."""
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or path == Path() or not name.isprintable():
        raise UsageError(f"{option} must be a relative name without '..', not {name!r}")
    return str(path)
