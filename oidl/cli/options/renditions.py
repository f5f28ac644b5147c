"""Options: which resized images are made."""

from dataclasses import dataclass, replace
from typing import Annotated

from cyclopts import Parameter

from oidl.cli.options.groups import IMAGING, in_section
from oidl.cli.options.rendition_parser import (
    LARGEST_BOX,
    check_together,
    checked_rendition,
    hex_colour,
    is_suffix,
    parse_rendition,
)
from oidl.cli.options.types import between, one_of, origin
from oidl.model import Orientation, Rendition, ResizeMode, Scaling
from oidl.settings import Imaging, SourceSettings

CLASSIC = (
    "resize_mode", "resize_box_size", "resize_output_format", "resize_compression_quality",
    "resized_images_subdirectory",
)  # fmt: skip
"""The options of the one rendition that is made without `--rendition`."""

_RESIZED = "images-resized"


def _check_format(_: object, value: str) -> None:
    if not is_suffix(value):
        raise ValueError(f"must be a suffix like jpg, not {value!r}")


_COLOUR = Parameter(converter=lambda _, tokens: hex_colour(tokens[0].value, origin(tokens[0])))


@dataclass(frozen=True, kw_only=True)
@in_section(IMAGING)
class RenditionOptions:
    """Renditions."""

    resize_images: bool = True
    """Make resized images."""

    resize_mode: Annotated[ResizeMode, one_of(ResizeMode)] = ResizeMode.SHRINK_TO_FIT
    """Fit to the box: `ShrinkToFit`, `FillCrop`, `FillDistort`, `Border` or `KeepRatio`; see `oidl help renditions`."""

    resize_box_size: Annotated[int, between(1, LARGEST_BOX)] = 224
    """Side of the square box that images are fitted to, in pixels."""

    resize_output_format: Annotated[str, Parameter(validator=_check_format)] = "jpg"
    """Format of resized images, by its suffix: `jpg`, `png`, `webp`, or another that libvips can save."""

    resize_compression_quality: Annotated[int | None, between(1, 100)] = None
    """Quality of resized images, 1 to 100. Default: that of the format."""

    resized_images_subdirectory: str | None = None
    """Directory of resized images. Default: `images-resized`; for a second size, one like `images-640`."""

    rendition: Annotated[tuple[str, ...], Parameter(show_default=False)] = ()
    """Further resized images, repeatable: `name=thumb,mode=FillCrop,box=224,format=jpg,quality=50,dir=thumbs`."""

    orientation: Annotated[Orientation, one_of(Orientation)] = Orientation.EXIF
    """How resized images are turned: by `exif`, by `dataset` (the published `Rotation`), or not at all (`keep`)."""

    force_rgb: bool = False
    """Save resized images with three channels (RGB), even if they are grey."""

    scaling: Annotated[Scaling, one_of(Scaling)] = Scaling.FAITHFUL
    """How JPEGs are shrunk: `faithful`, or `fast`, which saves time at some sizes and is a little less sharp."""

    background: Annotated[str, _COLOUR] = Imaging().background
    """Colour behind transparent parts and of borders, as six hex digits."""

    def settings(self, originals: SourceSettings) -> tuple[Rendition, ...]:
        """The classic rendition, then those of `--rendition`; beside such, the classic one only if it was shaped.

        Raises `UsageError` for one that makes no sense, and for two with one name or directory.
        """
        if not self.resize_images:
            return ()
        renditions = list(map(self.parsed, self.rendition))
        if not renditions or any(getattr(self, name) != getattr(RenditionOptions, name) for name in CLASSIC):
            renditions.insert(0, checked_rendition(self._classic(), "--resized-images-subdirectory"))
        check_together(renditions, originals)
        return tuple(renditions)

    def parsed(self, text: str) -> Rendition:
        """The rendition that `text`, a value of `--rendition`, describes; these options say what it leaves out."""
        return parse_rendition(text, self._rest())

    def _classic(self) -> Rendition:
        directory = _RESIZED if self.resized_images_subdirectory is None else self.resized_images_subdirectory
        return replace(
            self._rest(),
            name=directory,
            directory=directory,
            mode=self.resize_mode,
            box_size=self.resize_box_size,
            format=self.resize_output_format.lower(),
            quality=self.resize_compression_quality,
        )

    def _rest(self) -> Rendition:
        """What applies to all renditions, unless `--rendition` says otherwise."""
        return Rendition(
            "",
            "",
            orientation=self.orientation,
            background=self.background,
            force_rgb=self.force_rgb,
            scaling=self.scaling,
        )
