"""Options: what is made of a picture, and what passes as one."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from oidl.cli.options.groups import IMAGING, in_section
from oidl.cli.options.rendition_parser import check_together, checked_rendition, hex_colour, typed_rendition
from oidl.cli.options.types import one_of
from oidl.model import Orientation, Rendition, ResizeMode, Validation
from oidl.settings import Imaging, SourceSettings

RESIZED = "images-resized"
"""Where resized images go if nothing else is said."""

CLASSIC = (
    "resize_mode", "resize_box_size", "resize_output_format", "resize_compression_quality",
    "resized_images_subdirectory",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
@in_section(IMAGING)
class ImagingOptions:
    """Renditions and imaging."""

    resize_images: bool = True
    """Make resized images."""

    resize_mode: Annotated[ResizeMode, one_of(ResizeMode)] = ResizeMode.SHRINK_TO_FIT
    """`ShrinkToFit`, `FillCrop`, `FillDistort`, `Border` or `KeepRatio`; in any letter case."""

    resize_box_size: int = 224
    """The box that images are fitted to, in pixels."""

    resize_output_format: str = "jpg"
    """Any format that libvips can save, by its suffix."""

    resize_compression_quality: int | None = None
    """1 to 100; the format's default if not given."""

    resized_images_subdirectory: str | None = None
    """Where resized images go, below each subset; `images-resized`, or where that has others, like `images-640`."""

    rendition: Annotated[tuple[str, ...], Parameter(show_default=False)] = ()
    """A rendition more, repeatable: `name=thumb,mode=FillCrop,box=224,format=jpg,quality=50,dir=thumbs`."""

    orientation: Annotated[Orientation, one_of(Orientation)] = Orientation.EXIF
    """What turns resized images: `exif`, `dataset` (the published `Rotation`, so that boxes match) or `keep`."""

    force_rgb: bool = False
    """Give resized images three bands, also where they are grey."""

    background: str = "ffffff"
    """The colour, as six hex digits, under what is transparent and around what has a border."""

    validate: Annotated[Validation, one_of(Validation)] = Validation.DECODE
    """`decode` refuses what is damaged, `strict` also what is merely odd; `off` decodes only what is resized."""

    max_pixels: int = 200_000_000
    """The largest picture that is decoded."""

    convert_cmyk: bool = False
    """Save CMYK originals as sRGB JPEGs."""

    convert_png: bool = False
    """Save PNG originals as JPEGs."""

    discard_png: bool = False
    """Count PNGs as failures."""

    threads: int | None = None
    """Threads that check and resize images. Default: one for each core that this process may use."""

    def imaging(self) -> Imaging:
        """What passes as a picture. Raises `UsageError`."""
        return Imaging(
            validation=self.validate,
            max_pixels=self.max_pixels,
            convert_cmyk=self.convert_cmyk,
            convert_png=self.convert_png,
            discard_png=self.discard_png,
            background=hex_colour(self.background, "--background"),
        )

    def renditions(self, originals: SourceSettings) -> tuple[Rendition, ...]:
        """The classic rendition, then those of `--rendition`; where there are such, the classic one only if shaped.

        Raises `UsageError` for one that makes no sense, and for two in one place.
        """
        if not self.resize_images:
            return ()
        background = hex_colour(self.background, "--background")
        renditions = [
            typed_rendition(text, self.orientation, background, force_rgb=self.force_rgb) for text in self.rendition
        ]
        if not renditions or any(getattr(self, name) != getattr(ImagingOptions, name) for name in CLASSIC):
            directory = RESIZED if self.resized_images_subdirectory is None else self.resized_images_subdirectory
            classic = Rendition(
                name=directory,
                directory=directory,
                mode=self.resize_mode,
                box_size=self.resize_box_size,
                format=self.resize_output_format.lower(),
                quality=self.resize_compression_quality,
                orientation=self.orientation,
                background=background,
                force_rgb=self.force_rgb,
            )
            renditions.insert(0, checked_rendition(classic, "--resized-images-subdirectory"))
        check_together(renditions, originals)
        return tuple(renditions)
