"""Everything that a run should do, as one frozen value.

`cli` makes it from flags, environment and `oidl.toml`; each room receives the part that it needs. Units are in names.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from oidl.cores import usable_cores
from oidl.model import Extent, FileKind, Reason, Rendition, ShardSettings, Source, StoreKind, Validation
from oidl.model.selection import Selection as Selection  # one of the settings, for those that import them
from oidl.text import plain, without_secrets

MAX_IMAGE_BYTES = 250_000_000
"""The default limit on the size of an image, in bytes; the largest of Open Images is far below."""

MAX_PROCESSES = 256
"""The most processes that can be asked for."""


class FileNames(StrEnum):
    """What output files are named after."""

    IMAGE_ID = "image-id"
    FLICKR = "flickr"


class Display(StrEnum):
    """How a run is shown: `auto` is a full screen if the terminal supports it, otherwise lines."""

    AUTO = "auto"
    FULL = "full"
    LINE = "line"
    JSON = "json"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """How hard and how patiently the network is used.

    `connect_timeout_s` limits all of connecting, and within it `dns_timeout_s` limits the name lookup and
    `tls_timeout_s` the handshake. `memory_bytes` bounds the bodies in memory, whatever the number of connections,
    and `max_image_bytes` bounds each of them, whatever the list says. `max_rps` limits the requests per second to
    one provider, `max_bytes_per_s` all transfers together. Requests that were late may be made up for, as far back as
    `burst_s`. `max_retry_after_s` is the longest wait that a server can ask for. `user_agent` None means the program's
    name and version.
    """

    max_total_connections: int = 128
    max_host_connections: int = 5
    connect_timeout_s: float = 10.0
    dns_timeout_s: float = 5.0
    tls_timeout_s: float = 5.0
    stall_timeout_s: float = 30.0
    min_bytes_per_s: float = 2000.0
    memory_bytes: int = 256 * 1024 * 1024
    max_image_bytes: int = MAX_IMAGE_BYTES
    max_rps: float | None = None
    burst_s: float = 0.1
    max_retry_after_s: float = 3600.0
    max_bytes_per_s: float | None = None
    user_agent: str | None = None

    def deadline_s(self, expected_bytes: int) -> float:
        """The longest time that a transfer of `expected_bytes` may take, in seconds."""
        slowest = self.min_bytes_per_s
        if self.max_bytes_per_s:  # each transfer gets an equal share of the limit, and half of that in a bad moment
            slowest = min(slowest, self.max_bytes_per_s / self.max_total_connections / 2)
        return self.connect_timeout_s + self.stall_timeout_s + expected_bytes / slowest


@dataclass(frozen=True, slots=True)
class Retries:
    """How often one image is tried in one run, and how long a run waits for retries at its end.

    A failure that may be the path's fault, not the photo's, is retried after `confirm_after_s`, and then after twice
    that. `failed` lists the reasons whose permanent failures are tried again first: empty for all, None for none.
    With `now`, images that an earlier run scheduled for later are tried at once.
    """

    max_tries: int = 15
    max_wait_s: float = 180.0
    confirm_after_s: float = 45.0
    failed: tuple[Reason, ...] | None = None
    now: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """When a run stops by itself; None means never.

    `failure_rate` is the share of the latest outcomes that may fail for the same reason; `min_free_bytes` stay free on
    every filesystem that is written to. With `check_space`, a run does not start if its files cannot fit.
    """

    duration_s: float | None = None
    bytes_read: int | None = None
    failure_rate: float = 0.95
    min_free_bytes: int = 1_000_000_000
    check_space: bool = True


@dataclass(frozen=True, slots=True)
class Layout:
    """Where files go: `<root>/<version_dir>/<subset>/<directory>/<prefix>/<name>.<ext>`."""

    root_dir: Path
    version_dir: str
    prefix_dirs: bool = True
    name_files_by: FileNames = FileNames.IMAGE_ID


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """What is fetched, and how far originals already on disk are trusted.

    `sources` are tried in order. Originals are looked for in `directory`.
    With `save`, bodies are kept, each source's as a separate rendition
    (`original_renditions`): only the published bytes are ever called `original`. `store` is what keeps them.
    """

    sources: tuple[Source, ...] = (Source.ORIGINAL,)
    save: bool = False
    directory: str = "images-original"
    check_md5_if_exists: bool = True
    always_download: bool = False
    store: StoreKind = StoreKind.FILES

    @property
    def original_renditions(self) -> tuple[Rendition, ...]:
        """The renditions that bodies are kept as, one for each source; an image needs only one of them."""
        return tuple(self.rendition_for(source) for source in self.sources) if self.save else ()

    @property
    def original_names(self) -> frozenset[str]:
        """The names of `original_renditions`."""
        return frozenset(rendition.name for rendition in self.original_renditions)

    @property
    def can_use_local(self) -> bool:
        """Whether an original on disk can be used for the renditions to be kept."""
        return not self.save or Source.ORIGINAL in self.sources

    def rendition_for(self, source: Source) -> Rendition:
        """The rendition for bodies of `source`; an original from disk counts as an original.

        Thumbnails have `directory` to themselves if they are the first source, as in the older downloader.
        """
        source = Source.ORIGINAL if source == Source.LOCAL else source
        owner = self.sources[0] if self.sources[0] == Source.THUMBNAIL_300K else Source.ORIGINAL
        directory = self.directory if source == owner else f"{self.directory}-{source}"
        return Rendition(str(source), directory, store=self.store)


@dataclass(frozen=True, slots=True)
class Imaging:
    """What passes as an image, and what happens to saved originals that are CMYK or PNG.

    `background`, six hex digits, fills transparent areas when an image is converted.
    """

    validation: Validation = Validation.DECODE
    max_pixels: int = 200_000_000
    convert_cmyk: bool = False
    convert_png: bool = False
    discard_png: bool = False
    background: str = "ffffff"


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What one worker needs to know; it can be sent to another process.

    `number` is its number, `threads` how many images it checks and resizes at once. Temporary files have names that
    begin with the `token` of the run and `part`, which no other process uses. `log_level` is that of `logging`. With a
    `fence`, the name of one life of a node on a cluster, files are staged under that name, and shards are not created.
    """

    number: int
    transfers: NetworkSettings
    layout: Layout
    originals: SourceSettings
    imaging: Imaging
    threads: int
    token: str
    part: str = ""
    log_level: int = 0
    shards: ShardSettings = field(default_factory=ShardSettings)
    fence: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one `oidl run`.

    `renditions` are the resized ones; the saved original, if any, is in addition
    (`required`). `catalogue` None means the built-in one; `images_csv` replaces the
    catalogue's image lists, and `image_list` chooses among those. `annotations` are kinds of annotations;
    `pipeline.annotation_requirements` says which files they need. With `load_annotations` they go into the database,
    for the selected images or the whole list. Unless `is_directory_given`, the first of `renditions` goes to another
    directory if its own has files made otherwise. `plan` is what the root is for from now on, by option; a run without
    one leaves it unchanged. `threads` check and resize images, in `processes` processes; None lets the run choose.
    With a `cluster`, nodes there do that, each with `node_threads`; None is as many as its worker has.
    """

    root_dir: Path
    state_db: Path
    dataset_version: str
    catalogue: Path | None
    images_csv: str | None
    selection: Selection
    layout: Layout
    originals: SourceSettings
    renditions: tuple[Rendition, ...]
    transfers: NetworkSettings
    retries: Retries
    limits: Limits = Limits()
    imaging: Imaging = Imaging()
    download_metadata: bool = True
    download_images: bool = True
    image_list: Extent = Extent.FULL
    annotations: tuple[FileKind, ...] = ()
    load_annotations: bool = False
    save_tar_balls: bool = False
    export_csv: bool = True
    is_directory_given: bool = True
    plan: Mapping[str, str | int | float | bool | list[str]] = field(default_factory=dict)
    threads: int = field(default_factory=usable_cores)
    processes: int | None = None
    cluster: str | None = None
    node_threads: int | None = None
    shards: ShardSettings = field(default_factory=ShardSettings)

    @property
    def required(self) -> tuple[Rendition, ...]:
        """Every rendition that an image needs to be done; the first of `original_renditions` stands for any of them."""
        return self.originals.original_renditions[:1] + self.renditions

    @property
    def loads_annotations(self) -> bool:
        """Whether annotations go into the database: if requested, and always if only some images are selected."""
        return self.load_annotations or (self.download_metadata and self.selection.is_narrowed)

    @property
    def all_renditions(self) -> tuple[Rendition, ...]:
        """Every rendition that the run may produce."""
        return self.originals.original_renditions + self.renditions

    @property
    def local_list(self) -> Path | None:
        """The user's own image list, if it is a file on disk."""
        if self.images_csv is None or self.images_csv.startswith(("http://", "https://")):
            return None
        return Path(self.images_csv)

    def as_json(self) -> dict[str, Any]:
        """The settings as plain JSON values, for the `run` table, without the parts of URLs that may be secret."""
        values = {name: plain(value) for name, value in asdict(self).items() if name != "plan"}
        values["shards"]["remote"] = self.shards.remote and without_secrets(self.shards.remote)
        return values | {"images_csv": self.images_csv and without_secrets(self.images_csv)}
