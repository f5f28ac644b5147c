"""The values that flow through the program, and the words for an image's life.

Everything here is frozen and pure: an `Image` is what was
published, `Work` what the feed hands out, `Fetched` a body in memory, and
`Done` or `Failure` what became of it. Field names are the column names of the
state database.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from oidl.text import DETAIL_CHARACTERS, URL_CHARACTERS, printable, shortened, without_passwords


class Status(StrEnum):
    """Where an image stands. Only `pending`, and `retry` when due, are fed."""

    PENDING = "pending"
    RETRY = "retry"
    DONE = "done"
    FAILED = "failed"


class Reason(StrEnum):
    """Why an image could not be had; which of these pass is `pipeline.retry`'s to say."""

    UNAVAILABLE = "unavailable"
    NOT_FOUND = "not_found"
    GONE = "gone"
    FORBIDDEN = "forbidden"
    SIZE_MISMATCH = "size_mismatch"
    MD5_MISMATCH = "md5_mismatch"
    NOT_AN_IMAGE = "not_an_image"
    CORRUPT = "corrupt"
    HTTP_ERROR = "http_error"
    RATE_LIMITED = "rate_limited"
    TIMEOUT = "timeout"
    TOO_SLOW = "too_slow"
    CONNECTION = "connection"
    DNS = "dns"
    TLS = "tls"
    TOO_LARGE = "too_large"
    RESIZE_FAILED = "resize_failed"
    INTERNAL_ERROR = "internal_error"
    DISK = "disk"


class Source(StrEnum):
    """Where the bytes of an image came from: `download.source`."""

    ORIGINAL = "original"
    THUMBNAIL_300K = "300k"
    CVDF = "cvdf"
    LOCAL = "local"


class FileKind(StrEnum):
    """What a published file tells; the words are those of the catalogue and of `--annotations`."""

    IMAGE_LIST = "image-list"
    CLASSES = "classes"
    BOXABLE_CLASSES = "boxable-classes"
    SEGMENTATION_CLASSES = "segmentation-classes"
    RELATIONSHIP_CLASSES = "relationship-classes"
    RELATIONSHIP_TRIPLETS = "relationship-triplets"
    ATTRIBUTE_CLASSES = "attribute-classes"
    HIERARCHY = "hierarchy"
    BOXES = "boxes"
    LABELS = "labels"
    BOXABLE_LABELS = "boxable-labels"
    MACHINE_LABELS = "machine-labels"
    RELATIONSHIPS = "relationships"
    SEGMENTATIONS = "segmentations"
    MASKS = "masks"
    POINTS = "points"
    CAPTIONS = "captions"
    NARRATIVES = "narratives"
    TRANSFER_LISTS = "transfer-lists"


CLASS_FILES = frozenset(
    {
        FileKind.CLASSES,
        FileKind.BOXABLE_CLASSES,
        FileKind.SEGMENTATION_CLASSES,
        FileKind.RELATIONSHIP_CLASSES,
        FileKind.RELATIONSHIP_TRIPLETS,
        FileKind.ATTRIBUTE_CLASSES,
        FileKind.HIERARCHY,
    }
)
"""Small files without which no annotation can be read."""


class LabelType(StrEnum):
    """A kind of annotation by which images are chosen; the words are those of `--label-types`."""

    BOXES = "boxes"
    LABELS = "labels"
    SEGMENTATIONS = "segmentations"
    RELATIONSHIPS = "relationships"
    POINTS = "points"


TYPE_FILES = {
    LabelType.BOXES: FileKind.BOXES,
    LabelType.LABELS: FileKind.LABELS,
    LabelType.SEGMENTATIONS: FileKind.SEGMENTATIONS,
    LabelType.RELATIONSHIPS: FileKind.RELATIONSHIPS,
    LabelType.POINTS: FileKind.POINTS,
}
"""The published files that say which images have annotations of a type."""


class Extent(StrEnum):
    """Which images of `train` a list has: all, those with boxes, or those with labels."""

    FULL = "full"
    BOXABLE = "boxable"
    LABELS = "labels"


class ResizeMode(StrEnum):
    """How a picture is fitted to its box: as the older downloader named it, then as img2dataset does."""

    SHRINK_TO_FIT = "ShrinkToFit"
    FILL_CROP = "FillCrop"
    FILL_DISTORT = "FillDistort"
    BORDER = "Border"
    KEEP_RATIO = "KeepRatio"


class Crop(StrEnum):
    """Which part `FillCrop` keeps: the middle, or what catches the eye."""

    CENTRE = "centre"
    ATTENTION = "attention"


class Orientation(StrEnum):
    """What a picture is turned by: its EXIF tag, the published `Rotation`, or nothing."""

    EXIF = "exif"
    DATASET = "dataset"
    KEEP = "keep"


class Validation(StrEnum):
    """How much of an image is checked, beside size and MD5, and what passes.

    `decode` refuses what is damaged or has a part missing; `strict` refuses
    every oddity that a decoder warns of; `off` decodes only what is resized, and complains of nothing.
    """

    OFF = "off"
    DECODE = "decode"
    STRICT = "strict"


class Image(NamedTuple):
    """One row of a published image list; the text fields are exactly as published.

    `image_id` is 16 lower-case hex digits, `original_size` bytes, `original_md5`
    base64 of the 16-byte digest (24 characters). `thumbnail_300k_url` may be
    empty. `rotation` is None where the list has no such column (V1–V3).

    A tuple in column order, where other values are dataclasses: nine million of
    these go straight from the CSV reader into SQLite and back.
    """

    image_id: str
    subset: str
    original_url: str
    original_landing_url: str
    license: str
    author_profile_url: str
    author: str
    title: str
    original_size: int
    original_md5: str
    thumbnail_300k_url: str
    rotation: str | None = None


class SkippedRow(NamedTuple):
    """A row of an image list that is no image here: where it stands, what is wrong with it, and its text (cut).

    `subset` is "" where the row does not say; `line` counts from 1 in the file `list`, None where it is not known.
    """

    subset: str
    list: str
    line: int | None
    complaint: str
    text: str


@dataclass(frozen=True, slots=True)
class ListFile:
    """An image list on disk by its content: length, last change (seconds since the epoch), SHA-256 (hex)."""

    bytes: int
    modified_s: float
    sha256: str


class LineBreak(NamedTuple):
    """Image number `at` of a load (from 0) stands on `line` of `list`, and the next ones on the lines after it."""

    at: int
    list: str
    line: int


@dataclass(frozen=True, slots=True)
class Rendition:
    """A kind of output file: one recipe, kept in one directory of every subset.

    `mode` None means the bytes as they came (`box_size` and `quality` are then
    None and `format` is empty). `directory` is relative to `<root>/<version>/<subset>`, or absolute:
    then files lie in `<directory>/<subset>`. `box_size` is in pixels, `quality`
    1–100 or None for the format's own default; `background`, six hex digits of
    red, green and blue, goes under what is transparent and around what has a border.
    """

    name: str
    directory: str
    mode: ResizeMode | None = None
    box_size: int | None = None
    format: str = ""
    quality: int | None = None
    crop: Crop = Crop.CENTRE
    orientation: Orientation = Orientation.EXIF
    background: str = "ffffff"
    force_rgb: bool = False


ORIGINAL = "original"
"""The name of the rendition that is the published original, byte for byte."""


@dataclass(frozen=True, slots=True)
class Work:
    """An image the feed hands out, with what it still lacks.

    `saved_original` is the path (as in `file.path`) of an original that an
    earlier run verified and kept, or None. `rotation` is as published: degrees counter-clockwise, 0 where none is.
    `status` and `reason` are those of its row, which nobody changes while the image is in hand. `tried` is what became
    of it at the sources that were asked already in this try. `is_local_bad` says that what is of it on disk
    will not do. `classes` are those that it counts for where images are counted by class.
    """

    image_id: str
    subset: str
    original_url: str
    original_size: int
    original_md5: str
    thumbnail_300k_url: str
    lacking: tuple[Rendition, ...]
    saved_original: str | None = None
    rotation: int = 0
    status: Status = Status.PENDING
    reason: Reason | None = None
    tried: tuple["Failure", ...] = ()
    is_local_bad: bool = False
    classes: tuple[str, ...] = ()


class Standing(NamedTuple):
    """How many `images` of a subset have this status, and this reason for it where there is one."""

    subset: str
    status: Status
    reason: Reason | None
    images: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """The whole body of an image, not yet verified.

    `told_md5` (lower-case hex) is what the server said it has; `transfer_s` is how long that took, None from disk.
    `doubt` is what the way it came says against it (status, content type): the verdict, unless the bytes are the
    published ones.
    """

    source: Source
    url: str
    body: bytes
    told_md5: str | None = None
    transfer_s: float | None = field(default=None, compare=False)
    doubt: "Failure | None" = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one try at an image did not work out; a value, not an exception.

    `retry_after_s` is how long the server asked us to wait. `is_published` says
    that the bytes were the published ones by MD5, so trying again is no use; `is_unreachable` that there
    was no connection at all; `was_asked` False that its host is left alone and nothing was tried;
    `is_not_mirrored` that a mirror, which has but some images, has not this one; `hint` is what the user can do
    about a disk; `is_image` that an image came, by its content type or first bytes; `is_elsewhere` that another site
    answered, to which a redirect led.

    Whatever a server said in `detail` or `url` is made printable and cut here, and users and passwords are left out,
    so no room has to remember to.
    """

    reason: Reason
    detail: str = ""
    http_status: int | None = None
    retry_after_s: float | None = None
    source: Source | None = None
    url: str | None = None
    is_published: bool = False
    is_unreachable: bool = False
    was_asked: bool = True
    is_not_mirrored: bool = False
    is_image: bool = False
    is_elsewhere: bool = False
    hint: str = ""

    def __post_init__(self) -> None:
        detail = printable(without_passwords(" ".join(self.detail.split())))
        object.__setattr__(self, "detail", shortened(detail, DETAIL_CHARACTERS))
        if self.url is not None:
            object.__setattr__(self, "url", shortened(printable(without_passwords(self.url)), URL_CHARACTERS))


@dataclass(frozen=True, slots=True)
class Postponed:
    """An image that is left for later untried, since its host is left alone for `wait_s` seconds."""

    reason: Reason
    detail: str
    wait_s: float


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """One output file that stands under its final name; `path` as in `file.path`.

    It is the published picture, as stored, turned by `orientation` (EXIF's 1–8), scaled to `scaled_width` ×
    `scaled_height` and cut (or, where negative, bordered) at `left`, `top`. `conversion` says what a saved original
    was before, if not that. `exif_orientation` is what a picture kept as it came says itself, None for others.
    """

    rendition: str
    path: str
    bytes: int
    width: int
    height: int
    orientation: int = 1
    scaled_width: int | None = None
    scaled_height: int | None = None
    left: int = 0
    top: int = 0
    conversion: str | None = None
    exif_orientation: int | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """An image that is verified and has every file that was asked for.

    `width` and `height` are the source picture's, in pixels as stored (before
    its EXIF `orientation`, 1–8, is applied); `bands` count alpha, `format` is by
    its first bytes; `md5` is base64, as in `Image.original_md5`; `transfer_s` as in `Fetched`.
    `url` is kept as that of a `Failure` is.
    """

    source: Source
    url: str | None
    bytes: int
    md5: str
    width: int
    height: int
    files: tuple[WrittenFile, ...]
    format: str | None = None
    bands: int | None = None
    orientation: int | None = None
    is_cmyk: bool | None = None
    transfer_s: float | None = None

    def __post_init__(self) -> None:
        if self.url is not None:
            object.__setattr__(self, "url", shortened(printable(without_passwords(self.url)), URL_CHARACTERS))


class Fault(StrEnum):
    """How disk and database can differ, as `oidl verify` finds it; the first five are put back by `--repair`."""

    MISSING = "missing"
    WRONG_SIZE = "wrong_size"
    WRONG_MD5 = "wrong_md5"
    DAMAGED = "damaged"
    INCOMPLETE = "incomplete"
    UNREADABLE = "unreadable"
    ORPHAN = "orphan"
    LEFTOVER = "leftover"
    UNRECORDED = "unrecorded"
    FOREIGN = "foreign"


TO_BE_DONE_AGAIN = frozenset({Fault.MISSING, Fault.WRONG_SIZE, Fault.WRONG_MD5, Fault.DAMAGED, Fault.INCOMPLETE})
"""The image is to be done again."""

TO_BE_REMOVED = frozenset({Fault.ORPHAN, Fault.LEFTOVER})
"""The file is ours and of no use."""

REMARKS = frozenset({Fault.UNRECORDED, Fault.FOREIGN})
"""Nothing is wrong; it is only told."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference: `path` is that of the file, `image_id` and `rendition` are those of its row where it has one.

    `modified_s` (seconds since the epoch) is when the file was last written to, 0 where there is none.
    """

    fault: Fault
    path: str = ""
    image_id: str | None = None
    rendition: str | None = None
    detail: str = ""
    modified_s: float = 0.0
