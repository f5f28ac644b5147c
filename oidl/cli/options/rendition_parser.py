"""Renditions as they are typed: `name=thumb,mode=FillCrop,box=224,quality=50`, or a `[[rendition]]` table."""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import TypeVar

from oidl.cli.options.sources import MIRRORS
from oidl.cli.options.types import member
from oidl.errors import UsageError
from oidl.model import Crop, Orientation, Rendition, ResizeMode, Scaling, Source
from oidl.settings import SourceSettings
from oidl.storage.layout import checked_subdirectory

LARGEST_BOX = 65_500
"""The largest box in pixels; libjpeg's limit is 65,535, and formats differ."""

_KEYS = (
    "name", "mode", "box", "format", "quality", "dir", "crop", "orientation", "background", "force-rgb", "scaling",
)  # fmt: skip

E = TypeVar("E", bound=StrEnum)


def parse_rendition(text: str, rest: Rendition) -> Rendition:
    """The rendition that `text` describes; some of what it leaves out is as in `rest`. Raises `UsageError`."""
    values: dict[str, str] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        key = key.strip().replace("_", "-")
        if not equals or key not in _KEYS or key in values:
            raise UsageError(
                f"--rendition {text}: {part.strip()!r} is not one of its parts",
                hint=f"write each part like box=224, and only once; there are {', '.join(_KEYS)}",
            )
        values[key] = value.strip()
    if "box" not in values:
        raise UsageError(f"--rendition {text}: box is missing", hint="add box=224, in pixels")
    where = f"--rendition {text}"
    box_size = _whole_number(values["box"], 1, LARGEST_BOX, f"{where}: box")
    directory = values.get("dir") or values.get("name") or f"images-{box_size}"
    return checked_rendition(
        Rendition(
            name=values.get("name", directory),
            directory=directory,
            mode=_member(ResizeMode, values.get("mode", "ShrinkToFit").replace("-", ""), where),
            box_size=box_size,
            format=values.get("format", "jpg").lower(),
            quality=_whole_number(values["quality"], 1, 100, f"{where}: quality") if "quality" in values else None,
            crop=_member(Crop, values.get("crop", Crop.CENTRE), where),
            orientation=_member(Orientation, values.get("orientation", rest.orientation), where),
            background=hex_colour(values.get("background", rest.background), where),
            force_rgb=values.get("force-rgb", str(rest.force_rgb)).lower() in ("true", "yes", "1"),
            scaling=_member(Scaling, values.get("scaling", rest.scaling), where),
        ),
        where,
    )


def rendition_text(rendition: Rendition) -> str:
    """The text that `parse_rendition` makes resized images `rendition` of, whatever it leaves to the options."""
    values = (
        rendition.name, rendition.mode, rendition.box_size, rendition.format, rendition.quality, rendition.directory,
        rendition.crop, rendition.orientation, rendition.background, rendition.force_rgb, rendition.scaling,
    )  # fmt: skip
    return ",".join(f"{key}={value}" for key, value in zip(_KEYS, values, strict=True) if value is not None)


def checked_rendition(rendition: Rendition, where: str) -> Rendition:
    """`rendition` with its directory in plain spelling. Raises `UsageError` if it makes no sense or leaves the root."""
    if not is_suffix(rendition.format):
        raise UsageError(f"{where}: the format must be a suffix like jpg, not {rendition.format!r}")
    directory = checked_subdirectory(rendition.directory, where)
    if rendition.crop is Crop.ATTENTION and rendition.mode is not ResizeMode.FILL_CROP:
        raise UsageError(f"{where}: crop can be chosen only for mode=FillCrop")
    name = directory if rendition.name == rendition.directory else rendition.name
    return replace(rendition, name=name, directory=directory)


def check_together(renditions: Sequence[Rendition], originals: SourceSettings) -> None:
    """Raises `UsageError` if two renditions would share a name or a directory."""
    names = {Source.ORIGINAL, Source.THUMBNAIL_300K, Source.LOCAL, *MIRRORS, *originals.sources}
    directories = {
        originals.directory,
        *(originals.rendition_for(source).directory for source in originals.sources),
        *names,
    }
    for rendition in renditions:
        if rendition.name in names or rendition.directory in directories:
            raise UsageError(
                f"a rendition cannot be called {rendition.name} and be in {rendition.directory}, because another one, "
                "or the originals, have that name or directory",
                hint="choose another --resized-images-subdirectory, or another name= and dir= in --rendition",
            )
        names.add(rendition.name)
        directories.add(rendition.directory)


def is_suffix(text: str) -> bool:
    """Whether `text` can be the suffix that says the format of a file."""
    return text.isalnum() and text.isascii()


def hex_colour(typed: str, where: str) -> str:
    """Six hex digits, in lower case, of `#FFFFFF` or `ffffff`. Raises `UsageError`."""
    digits = typed.removeprefix("#").lower()
    if len(digits) != 6 or not set(digits) <= set("0123456789abcdef"):
        raise UsageError(f"{where}: a colour must be six hex digits like ffffff, not {typed!r}")
    return digits


def _member(kind: type[E], typed: str, where: str) -> E:
    return member(kind, typed, f"{where}: {typed!r} is not one of {', '.join(kind)}")


def _whole_number(typed: str, least: int, most: int, where: str) -> int:
    """A whole number between two bounds, both included."""
    if not typed.isdecimal() or not least <= int(typed) <= most:
        raise UsageError(f"{where} must be {least} to {most}, not {typed!r}")
    return int(typed)
