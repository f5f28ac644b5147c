"""Jobs and their outcomes: the values that flow from the feed to the recorder."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, NamedTuple

from oidl.model.life import Status
from oidl.model.renditions import Rendition
from oidl.model.sample import SampleBox, SampleLabel
from oidl.reasons import Reason
from oidl.text import DETAIL_CHARACTERS, URL_CHARACTERS, printable, shortened, without_passwords


class Blame(StrEnum):
    """What a failure is evidence about, beyond its reason. Retries, breakers and the order of sources depend on it.

    `SERVER`, the usual case: the image's own host answered, and the reason decides.
    `IMAGE`: the published bytes arrived, but cannot be used.
    `PATH`: something in between; a redirect led to another site, or what arrived is not an image.
    `HOST`: no connection to the host could be made.
    `MIRROR`: a partial mirror lacks the image.
    `NOT_ASKED`: no request was made, because the host is paused or unreachable.
    """

    SERVER = "server"
    IMAGE = "image"
    PATH = "path"
    HOST = "host"
    MIRROR = "mirror"
    NOT_ASKED = "not_asked"


class Source(str):
    """Where the bytes of an image come from: `download.source`.

    One of the three below, which every image list has URLs or originals for, or a mirror that the catalogue names.
    """

    __slots__ = ()

    ORIGINAL: ClassVar["Source"]
    THUMBNAIL_300K: ClassVar["Source"]
    LOCAL: ClassVar["Source"]

    @property
    def is_mirror(self) -> bool:
        """Whether it is a mirror."""
        return self not in (Source.ORIGINAL, Source.THUMBNAIL_300K, Source.LOCAL)


Source.ORIGINAL = Source("original")
Source.THUMBNAIL_300K = Source("300k")
Source.LOCAL = Source("local")


class Published(NamedTuple):
    """What a sample in a shard says of its image beside what a `Job` has: published fields, unchanged.

    `rotation` is in degrees counter-clockwise, -1 if none is published. The sides of `boxes` are shares of those of the
    original as stored. Both kinds of annotations are those that are loaded. The last three are about the last check of
    the licence, "" without one.
    """

    license: str
    author: str
    author_profile_url: str
    title: str
    original_landing_url: str
    rotation: int
    boxes: tuple[SampleBox, ...] = ()
    labels: tuple[SampleLabel, ...] = ()
    license_verdict: str = ""
    license_now: str = ""
    license_checked: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """An image that the feed hands out, with the renditions that it still lacks.

    `saved_original` is the path (as in `file.path`) of an original that an
    earlier run verified and kept, or None. `rotation` is as published: degrees counter-clockwise, 0 if there is none.
    `status` and `reason` are those of its row, which does not change while the image is in progress. If images are
    counted by class, `classes` are those that the image counts for. `published` is there if a rendition goes to shards.
    """

    image_id: str
    subset: str
    original_url: str
    original_size: int
    original_md5: str
    thumbnail_300k_url: str
    missing_renditions: tuple[Rendition, ...]
    saved_original: str | None = None
    rotation: int = 0
    status: Status = Status.PENDING
    reason: Reason | None = None
    classes: tuple[str, ...] = ()
    published: Published | None = None


class StatusCount(NamedTuple):
    """How many `images` of a subset have this status and, if there is one, this reason."""

    subset: str
    status: Status
    reason: Reason | None
    images: int


@dataclass(frozen=True, slots=True)
class KeptBody:
    """A body of `bytes` bytes that a worker keeps in its own process; both have numbers."""

    worker: int
    number: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """The whole body of an image, not yet verified. If it is `kept` in another process, `body` is empty in this one.

    `server_md5` (lower-case hex) is the server's own MD5 of the body; `transfer_s` is the duration of the transfer,
    None if the body was read from disk. `doubt` is what the response says against it (status, content type): it is the
    verdict, unless the bytes are the published ones.
    """

    source: Source
    url: str
    body: bytes
    server_md5: str | None = None
    transfer_s: float | None = field(default=None, compare=False)
    doubt: "Failure | None" = None
    kept: KeptBody | None = None

    @property
    def size(self) -> int:
        """The length of the body in bytes."""
        return self.kept.bytes if self.kept else len(self.body)

    @property
    def worker(self) -> int:
        """The number of the worker that has the body."""
        return self.kept.worker if self.kept else 0


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one try at an image failed; a value, not an exception.

    `blame` is what the failure is about; `retry_after_s` is how long the server asked us to wait; `hint` is what the
    user can do about a disk error.

    A server's text in `detail` or `url` is made printable and shortened here, and users and passwords are removed, so
    no other room has to remember to do it.
    """

    reason: Reason
    detail: str = ""
    http_status: int | None = None
    retry_after_s: float | None = None
    source: Source | None = None
    url: str | None = None
    blame: Blame = Blame.SERVER
    hint: str = ""

    def __post_init__(self) -> None:
        detail = printable(without_passwords(" ".join(self.detail.split())))
        object.__setattr__(self, "detail", shortened(detail, DETAIL_CHARACTERS))
        if self.url is not None:
            object.__setattr__(self, "url", shortened(printable(without_passwords(self.url)), URL_CHARACTERS))


@dataclass(frozen=True, slots=True)
class Postponed:
    """An image that is left for later without a try, because its host is paused or unreachable for `wait_s` seconds."""

    reason: Reason
    detail: str
    wait_s: float


class OpenShard(NamedTuple):
    """A shard to append to: its final `path` as in `file.path`, its length in bytes, and the next place in it.

    `samples` is how many samples it may still get.
    """

    shard_id: int
    path: str
    length: int
    place: int
    samples: int


class Member(NamedTuple):
    """Where a sample is: its place in a shard, where it begins, its length in bytes, and the CRC-32 of these."""

    shard_id: int
    place: int
    at: int
    bytes: int
    crc32: int | None = None


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """One output file under its final name; `path` as in `file.path`. One in a shard is a `member` of it.

    It is the published image as stored, turned by `orientation` (EXIF's 1–8), scaled to `scaled_width` ×
    `scaled_height`, and cropped at `crop_left`, `crop_top`; negative values add a border. `conversion` is what a saved
    original was converted from, None if it was not. `exif_orientation` is the tag in an image kept byte for byte, and
    None in others.
    """

    rendition: str
    path: str
    bytes: int
    width: int
    height: int
    orientation: int = 1
    scaled_width: int | None = None
    scaled_height: int | None = None
    crop_left: int = 0
    crop_top: int = 0
    conversion: str | None = None
    exif_orientation: int | None = None
    member: Member | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """An image that is verified and has every requested file.

    `width` and `height` are those of the source image, in pixels as stored (before its EXIF `orientation`, 1–8, is
    applied); `bands` include alpha; `format` is detected from the first bytes; `md5` is base64, as in
    `Image.original_md5`; `transfer_s` as in `Fetched`. `url` is cleaned as in `Failure`.
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
