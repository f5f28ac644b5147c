"""Makes renditions: upright, sRGB, without metadata, in the requested sizes and formats.

One decode serves all renditions of a picture: libjpeg-turbo decodes a JPEG into
memory, at the smallest scale that is quick and 1.5 times as large as any of them
needs (1.4 with `Scaling.FAST`), and libvips resizes from there. libvips' own loaders decode everything
else, in one pass per rendition.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from oidl.imaging import turbo
from oidl.imaging.canvas import Canvas, Canvases, Shape
from oidl.imaging.encode import LONGEST_SIDE, Window, encode, is_opaque
from oidl.imaging.formats import suffix_format
from oidl.imaging.geometry import BY_ROTATION, Geometry, geometry
from oidl.imaging.inspect import Picture, decode_check, strictness
from oidl.imaging.orientation import upright
from oidl.imaging.samples import standardised
from oidl.imaging.vips import VIPS_ERRORS, pyvips
from oidl.model import Crop, Failure, Orientation, Reason, Rendition, ResizeMode, Scaling, Validation

# Decoded to output pixels, per side. From 1.5 on, the loss from scaling in the decoder is invisible. With 1.4, images
# are as similar to ImageMagick's as those of OpenCV's INTER_AREA, img2dataset's filter (`python -m bench similarity`).
_MARGINS = {Scaling.FAITHFUL: 1.5, Scaling.FAST: 1.4}
_MOST_PIXELS = 50_000_000  # in memory at once, 150 MB; larger pictures stream through libvips


@dataclass(frozen=True, slots=True)
class Rendered:
    """The bytes of one output file, its size in pixels, and how it was made from the stored picture.

    The picture was turned by `orientation` (EXIF's 1–8), scaled to `scaled_width` × `scaled_height`, and cropped (or,
    if negative, bordered) at `left` and `top`.
    """

    body: bytes
    width: int
    height: int
    orientation: int
    scaled_width: int
    scaled_height: int
    left: int = 0
    top: int = 0


@dataclass(frozen=True, slots=True)
class _Plan:
    rendition: Rendition
    orientation: int
    goal: Geometry

    @property
    def stored_size(self) -> tuple[int, int]:
        """The width and height to scale to, before the picture is turned."""
        width, height = self.goal.width, self.goal.height
        return (height, width) if self.orientation >= 5 else (width, height)

    @property
    def least_size(self) -> tuple[int, int]:
        """The least width and height to decode to."""
        margin, (width, height) = _MARGINS[self.rendition.scaling], self.stored_size
        return int(margin * width), int(margin * height)

    @property
    def uses_smartcrop(self) -> bool:
        """Whether libvips chooses the crop; it is the centre if the scaled picture is too large for that."""
        is_small = self.goal.width * self.goal.height <= _MOST_PIXELS
        return self.rendition.crop is Crop.ATTENTION and not self.goal.is_scaled_only and is_small

    @property
    def stored_crop(self) -> Window | None:
        """The part of the scaled picture to keep, before it is turned; None for all of it."""
        goal = self.goal
        if goal.is_scaled_only or self.uses_smartcrop or self.rendition.mode is ResizeMode.BORDER:
            return None
        left, top = goal.left, goal.top
        if self.orientation in (2, 3, 6, 7):  # the upright left is the stored right (or bottom)
            left = goal.width - goal.out_width - left
        if self.orientation in (3, 4, 7, 8):
            top = goal.height - goal.out_height - top
        if self.orientation >= 5:
            return top, left, goal.out_height, goal.out_width
        return left, top, goal.out_width, goal.out_height


def render(
    picture: Picture,
    renditions: Sequence[Rendition],
    rotation: int = 0,
    validation: Validation = Validation.DECODE,
    canvases: Canvases | None = None,
) -> list[Rendered] | Failure:
    """One `Rendered` for each of `renditions`; a `Failure` if the picture is incomplete or cannot be rendered.

    `rotation` is the published one, in degrees counter-clockwise. The whole
    picture is decoded, including the parts that a crop drops, so a truncated one
    is always found. If a rendition would not change the picture, its bytes are kept.
    `canvases` are used again for the next pictures of the same sizes.
    """
    plans = {
        rendition.name: _plan(picture, rendition, rotation)
        for rendition in renditions
        if rendition.mode is not None and not _fits_unchanged(picture, rendition, rotation)
    }
    for plan in plans.values():
        if max(plan.goal.out_width, plan.goal.out_height) > LONGEST_SIDE:
            return Failure(Reason.RESIZE_FAILED, f"would be {plan.goal.out_width} × {plan.goal.out_height} pixels")
    least = _least_size(list(plans.values()))
    shape = _canvas_shape(picture, least)
    try:
        with (canvases or Canvases()).borrow(shape) if shape else nullcontext() as canvas:
            source = _decoded(picture, canvas, validation, least)
            if isinstance(source, Failure):
                return source
            return [
                _render_one(picture, source, plans[rendition.name], validation)
                if rendition.name in plans
                else _unchanged(picture)
                for rendition in renditions
            ]
    except (turbo.NotEncodedError, *VIPS_ERRORS):
        formats = ", ".join(sorted({plan.rendition.format for plan in plans.values()}))
        missing = decode_check(picture, validation) if validation is not Validation.OFF else None
        return missing or Failure(Reason.RESIZE_FAILED, f"cannot be made into {formats}")


def _plan(picture: Picture, rendition: Rendition, rotation: int) -> _Plan:
    assert rendition.mode is not None
    assert rendition.box_size is not None
    orientation = _orientation(picture, rendition, rotation)
    size = (picture.height, picture.width) if orientation >= 5 else (picture.width, picture.height)
    return _Plan(rendition, orientation, geometry(rendition.mode, *size, rendition.box_size))


def _least_size(plans: Sequence[_Plan]) -> tuple[int, int]:
    """The least width and height to decode to, so that all `plans` can be scaled from there; 0 if there are none."""
    widths, heights = zip((0, 0), *(plan.least_size for plan in plans), strict=True)
    return max(widths), max(heights)


def _canvas_shape(picture: Picture, least: tuple[int, int]) -> Shape | None:
    """The shape to decode `picture` to, which is not below `least`; None if libvips should load it."""
    if least == (0, 0) or not picture.is_plain_jpeg:
        return None
    width, height = turbo.scaled_size(picture.width, picture.height, *least)
    return (height, width, picture.bands) if width * height <= _MOST_PIXELS else None


def _decoded(
    picture: Picture, canvas: Canvas | None, validation: Validation, least: tuple[int, int]
) -> Canvas | Failure | None:
    """`canvas` with the pixels of `picture`; None if libvips should load them."""
    if canvas:
        try:
            is_shrunk = canvas.width >= least[0] and canvas.height >= least[1]
            turbo.decode(picture.body, canvas, validation, is_shrunk=is_shrunk)
        except turbo.DamagedError:
            return Failure(Reason.CORRUPT, "its jpeg data ends early or is damaged")
        except turbo.UnsupportedError:
            return None
        return canvas
    return decode_check(picture, validation) if validation is not Validation.OFF else None


def _render_one(picture: Picture, source: Canvas | None, plan: _Plan, validation: Validation) -> Rendered:
    """One rendition. Makes few calls, because each hands the interpreter to other threads."""
    rendition, goal = plan.rendition, plan.goal
    image = _loaded(picture, plan, validation) if source is None else _scaled(picture, source, plan)
    is_bordered = rendition.mode is ResizeMode.BORDER
    is_flattened = source is None and image.hasalpha() and (is_opaque(rendition.format) or is_bordered)
    shows_colour = _has_colour(rendition) and (is_bordered or is_flattened)
    if (rendition.force_rgb or shows_colour) and image.bands < 3:
        image = image.colourspace("srgb")
    if is_flattened:
        image = image.flatten(background=_background(rendition, image.bands - 1))
    image = upright(image, plan.orientation)
    left, top = goal.left, goal.top
    shown_at = (left, top) if source else (0, 0)
    if is_bordered:
        background = _background(rendition, image.bands)
        image = image.embed(-left, -top, goal.out_width, goal.out_height, extend="background", background=background)
        shown_at = (0, 0)
    elif plan.uses_smartcrop:
        image = image.copy_memory().smartcrop(goal.out_width, goal.out_height, interesting="attention")
        left, top = -image.xoffset, -image.yoffset
        shown_at = (0, 0)
    region = source.region(image) if source else None
    window = *shown_at, goal.out_width, goal.out_height
    body = encode(image, window, rendition.format, rendition.quality, region)
    return Rendered(body, goal.out_width, goal.out_height, plan.orientation, goal.width, goal.height, left, top)


def _loaded(picture: Picture, plan: _Plan, validation: Validation) -> pyvips.Image:
    """`picture` by libvips' own loader, in sRGB or grey, scaled and cropped as planned, not yet turned."""
    width, height = plan.stored_size
    strict = f"[{strictness(validation)}]"
    fitted = {
        "height": height,
        "size": "force",
        "no_rotate": True,
        # Only if colours would shift without it: it costs 6–8 ms.
        **({} if picture.is_srgb else {"output_profile": "srgb"}),
    }
    if picture.is_standard:
        image = pyvips.Image.thumbnail_buffer(picture.body, width, option_string=strict, **fitted)
    else:
        stored = pyvips.Image.new_from_buffer(picture.body, strict, access="sequential")
        image = standardised(stored).thumbnail_image(width, **fitted)
    # Cropped while it streams from the top: a picture of 1 × 5000 pixels fills a box of 224 with 1,120,000 rows.
    if plan.stored_crop:
        image = image.crop(*plan.stored_crop)
    if picture.is_grey and image.bands >= 3:  # 16 bits of grey, or grey with a profile
        image = image.colourspace("b-w")
    image = image.copy_memory()
    return image.copy(interpretation="srgb") if image.interpretation == "multiband" else image


def _scaled(picture: Picture, source: Canvas, plan: _Plan) -> pyvips.Image:
    """`picture` in sRGB or grey, scaled as planned, not yet cropped or turned; little is computed yet."""
    image = source.scaled(*plan.stored_size)
    if _depends_on_colour(picture, plan.rendition):
        image = image.copy(interpretation="b-w" if picture.bands == 1 else "srgb")
    if picture.profile:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", picture.profile)
        image = image.icc_transform("srgb", embedded=True)
        if picture.bands == 1:
            image = image.colourspace("b-w")
    return image


def _depends_on_colour(picture: Picture, rendition: Rendition) -> bool:
    """Whether later steps need to know that the bands are colours; setting it costs a tenth of a thumbnail."""
    is_plain = is_opaque(rendition.format) and rendition.crop is Crop.CENTRE and not rendition.force_rgb
    return picture.profile is not None or not is_plain


def _unchanged(picture: Picture) -> Rendered:
    width, height = picture.width, picture.height
    return Rendered(picture.body, width, height, 1, width, height)


def _orientation(picture: Picture, rendition: Rendition, rotation: int) -> int:
    match rendition.orientation:
        case Orientation.EXIF:
            return picture.orientation
        case Orientation.DATASET:
            return BY_ROTATION.get(rotation, 1)
        case Orientation.KEEP:
            return 1


def _has_colour(rendition: Rendition) -> bool:
    """Whether the background is not grey, so that a grey picture on it needs colour."""
    return len(set(bytes.fromhex(rendition.background))) > 1


def _background(rendition: Rendition, bands: int) -> list[float]:
    red, green, blue = bytes.fromhex(rendition.background)
    return [red, green, blue] if bands == 3 else [0.2126 * red + 0.7152 * green + 0.0722 * blue]  # Rec. 709 luma


def _fits_unchanged(picture: Picture, rendition: Rendition, rotation: int) -> bool:
    return (
        rendition.mode is ResizeMode.SHRINK_TO_FIT
        and rendition.quality is None
        and suffix_format(f".{rendition.format}") == picture.format
        and picture.orientation == 1
        and _orientation(picture, rendition, rotation) == 1
        and picture.is_srgb
        and not (rendition.force_rgb and picture.is_grey)
        and max(picture.width, picture.height) <= (rendition.box_size or 0)
    )
