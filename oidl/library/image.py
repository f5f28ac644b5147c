"""An image as Python code sees it: the path of its file, its annotations and its attribution."""

import errno
from dataclasses import dataclass
from pathlib import Path

from oidl.export.image import LabelledBox, LabelledImage
from oidl.imaging.masks import Mask
from oidl.library.html import image_html
from oidl.storage.shards.place import Place, image_suffix, place_of, read_recorded


@dataclass(frozen=True, slots=True)
class Box:
    """A box in an image file. The sides are floats, in pixels from the top left corner; unknown attributes are None.

    `mask` is set if masks were requested and the object has one.
    """

    class_name: str
    label_name: str
    left: float
    top: float
    right: float
    bottom: float
    is_occluded: bool | None
    is_truncated: bool | None
    is_group_of: bool | None
    is_depiction: bool | None
    is_inside: bool | None
    mask: Mask | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """A label of the whole image. `confidence` is 1 if people saw the class in it, 0 if they did not."""

    class_name: str
    label_name: str
    confidence: float


@dataclass(frozen=True, slots=True)
class RootImage:
    """An image on the disk, `width` × `height` pixels, with its published fields unchanged.

    `path` is its file, or the shard that it is in: then `offset` is where its first byte is, otherwise None. It is
    `size_bytes` long; `suffix` is that of its format, like `.jpg`. A shard that is not complete yet still has another
    name; `read` finds it. The last three are those of the last check of the licence, "" without one.
    """

    image_id: str
    subset: str
    path: Path
    width: int
    height: int
    title: str
    author: str
    author_url: str
    license: str
    landing_url: str
    original_url: str
    boxes: tuple[Box, ...] = ()
    labels: tuple[Label, ...] = ()
    offset: int | None = None
    size_bytes: int = 0
    suffix: str = ".jpg"
    license_verdict: str = ""
    license_now: str = ""
    license_checked: str = ""

    def read(self) -> bytes:
        """The bytes of the image. Raises `OSError`."""
        if self.offset is None:
            return self.path.read_bytes()
        body = read_recorded(Path(), str(Place(str(self.path), self.offset)), self.size_bytes)
        if len(body) < self.size_bytes:
            raise OSError(errno.EIO, "the shard ends before the image does", str(self.path))
        return body

    def _repr_html_(self) -> str:
        """The image with its boxes and attribution, for a notebook."""
        outlines = [(box.class_name, box.left, box.top, box.right, box.bottom) for box in self.boxes]
        return image_html(
            self.read(),
            self.suffix,
            (self.width, self.height),
            outlines,
            title=self.title or self.image_id,
            page=self.landing_url,
            author=self.author,
            license_url=self.license,
        )


def root_image(image: LabelledImage, root_dir: Path) -> RootImage:
    """Converts an image of an export to the value that Python code gets."""
    file = image.file
    place = place_of(file.path)
    return RootImage(
        image_id=file.image_id,
        subset=file.subset,
        path=root_dir / (place.shard if place else file.path),
        width=image.width,
        height=image.height,
        title=file.title,
        author=file.author,
        author_url=file.author_profile_url,
        license=file.license,
        landing_url=file.original_landing_url,
        original_url=file.original_url,
        boxes=tuple(map(_box, image.boxes)),
        labels=tuple(Label(category.name, category.label_name, label.confidence) for category, label in image.labels),
        offset=place.at if place else None,
        size_bytes=file.bytes,
        suffix=image_suffix(file.path, file.image_format),
        license_verdict=file.license_verdict,
        license_now=file.license_now,
        license_checked=file.license_checked,
    )


def _box(box: LabelledBox) -> Box:
    published = box.published
    return Box(
        box.category.name,
        box.category.label_name,
        box.box.left,
        box.box.top,
        box.box.right,
        box.box.bottom,
        is_occluded=_known(published.is_occluded),
        is_truncated=_known(published.is_truncated),
        is_group_of=_known(published.is_group_of),
        is_depiction=_known(published.is_depiction),
        is_inside=_known(published.is_inside),
        mask=box.mask,
    )


def _known(attribute: int | None) -> bool | None:
    """A published attribute as a bool; None for -1 or an unpublished one."""
    return bool(attribute) if attribute in (0, 1) else None
