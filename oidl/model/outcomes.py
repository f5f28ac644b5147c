"""A job, and what becomes of it: the values that flow from the feed to the recorder."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from oidl.model.life import Status
from oidl.model.renditions import Rendition
from oidl.text import DETAIL_CHARACTERS, URL_CHARACTERS, printable, shortened, without_passwords


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


class Blame(StrEnum):
    """What a failure is evidence about, beyond its reason. Retries, breakers and the order of sources go by it.

    `SERVER`, the usual case: the image's own host answered, and the reason decides.
    `IMAGE`: the published bytes arrived, and cannot be used.
    `PATH`: what stands between; another site answered, to which a redirect led, or something that is no image.
    `HOST`: no connection could be made to it.
    `MIRROR`: a partial mirror lacks the image.
    `NOBODY`: no request was made, because the host is paused or unreachable.
    """

    SERVER = "server"
    IMAGE = "image"
    PATH = "path"
    HOST = "host"
    MIRROR = "mirror"
    NOBODY = "nobody"


class Source(StrEnum):
    """Where the bytes of an image came from: `download.source`."""

    ORIGINAL = "original"
    THUMBNAIL_300K = "300k"
    CVDF = "cvdf"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Job:
    """An image the feed hands out, with what it still lacks.

    `saved_original` is the path (as in `file.path`) of an original that an
    earlier run verified and kept, or None. `rotation` is as published: degrees counter-clockwise, 0 where none is.
    `status` and `reason` are those of its row, which nobody changes while the image is in progress. `classes` are those
    that it counts for if images are counted by class.
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


class StatusCount(NamedTuple):
    """How many `images` of a subset have this status, and this reason for it where there is one."""

    subset: str
    status: Status
    reason: Reason | None
    images: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """The whole body of an image, not yet verified.

    `server_md5` (lower-case hex) is what the server said it has; `transfer_s` is how long that took, None from disk.
    `doubt` is what the way it came says against it (status, content type): the verdict, unless the bytes are the
    published ones.
    """

    source: Source
    url: str
    body: bytes
    server_md5: str | None = None
    transfer_s: float | None = field(default=None, compare=False)
    doubt: "Failure | None" = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one try at an image failed; a value, not an exception.

    `blame` is what the failure is about; `retry_after_s` how long the server asked us to wait; `hint` what the
    user can do about a disk.

    Whatever a server said in `detail` or `url` is made printable and cut here, and users and passwords are left out,
    so no other room has to remember to.
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
