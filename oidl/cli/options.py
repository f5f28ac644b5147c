"""What can be typed after `oidl run`, and the `Settings` that it makes.

The docstring under an option is its help text, here and in the README.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_args

from cyclopts import Parameter, Token

from oidl.cli.checks import check_options
from oidl.cli.choice import ChoiceOptions
from oidl.cli.places import PlaceOptions
from oidl.cli.renditions import check_together, checked_rendition, hex_colour, typed_rendition
from oidl.cli.units import parse_bytes, parse_seconds
from oidl.errors import UsageError
from oidl.model import Extent, FileKind, Orientation, Reason, Rendition, ResizeMode, Source, Validation
from oidl.settings import (
    Display,
    FileNames,
    Imaging,
    Layout,
    Limits,
    Originals,
    Retries,
    Settings,
    Transfers,
)


def _by_value(kind: type, tokens: tuple[Token, ...]) -> Any:
    """The member of the enumeration `kind` with this value, in any letter case."""
    typed = tokens[0].value
    for member in kind:  # type: ignore[attr-defined]
        if member.value.lower() == typed.lower():
            return member
    raise ValueError(f"choose from {', '.join(kind)}")  # type: ignore[arg-type]


def _all_by_value(kind: type, tokens: tuple[Token, ...]) -> Any:
    """The same for a tuple of them."""
    return tuple(_by_value(get_args(kind)[0], (token,)) for token in tokens)


# The help must show what is typed; left alone it would show the members' names.
BY_VALUE = Parameter(converter=_by_value, show_choices=False, show_default=str)
KINDS = Parameter(converter=_all_by_value, show_choices=False, show_default=False)
_BYTES = Parameter(converter=lambda _, tokens: parse_bytes(tokens[0].value))
_SECONDS = Parameter(converter=lambda _, tokens: parse_seconds(tokens[0].value))


@dataclass(frozen=True, kw_only=True)
class RunOptions(ChoiceOptions):
    """Everything that `oidl run` can be told."""

    dataset_version: str | None = None
    """The version of Open Images: one of the catalogue's; the newest, which is 7, if not given."""

    images_csv: str | None = None
    """An image list of your own, a path or URL: `.csv`, `.csv.gz` or `.tar.gz` in the version's format."""

    catalogue: Path | None = None
    """A TOML file in the built-in catalogue's format, to use instead of that (mirrors, tests)."""

    image_list: Annotated[Extent, BY_VALUE] = Extent.FULL
    """Which images of `train`, in V4–V7: `full`, those with `boxable` objects, or those with `labels`."""

    limit: int | None = None
    """Stop feeding after this many images; 0 loads the image list and stops."""

    dry_run: bool = False
    """Say what would be fetched, how many bytes and how long it may take, and touch nothing."""

    download_metadata: bool = True
    """Download the version's annotations and classes."""

    annotations: Annotated[tuple[FileKind, ...], KINDS] = ()
    """Only annotations of this kind (and the classes); repeatable; else all that `oidl catalogue` calls no option."""

    load_annotations: bool = False
    """Load the annotations of the chosen images into the state database."""

    download_images: bool = True
    """Download the image list and the images."""

    save_tar_balls: bool = False
    """Keep the archives after they are unpacked."""

    download_300k: Annotated[bool, Parameter(name="--download-300k")] = False
    """The older spelling of `--source 300k --source original`: the small `Thumbnail300KURL` where an image has one."""

    source: Annotated[tuple[Source, ...], KINDS] = ()
    """Whose images: `original`, `300k`, or `cvdf` (a mirror's 1024 px copies); repeatable, the next where one fails."""

    save_original_images: bool = False
    """Keep the images as they came."""

    original_images_subdirectory: str = "images-original"
    """Where originals are kept, below each subset."""

    original_images_dir: Path | None = None
    """Keep originals under this directory instead, anywhere: `<dir>/<subset>/…`."""

    check_md5_if_exists: bool = True
    """Trust an original that is on disk only after its MD5; else by its size."""

    always_download: bool = False
    """Download again what is done, or on disk, already."""

    resize_images: bool = True
    """Make resized images."""

    resize_mode: Annotated[ResizeMode, BY_VALUE] = ResizeMode.SHRINK_TO_FIT
    """`ShrinkToFit`, `FillCrop`, `FillDistort`, `Border` or `KeepRatio`; in any letter case."""

    resize_box_size: int = 224
    """The box that images are fitted to, in pixels."""

    resize_output_format: str = "jpg"
    """Any format that libvips can save, by its suffix."""

    resize_compression_quality: int | None = None
    """1 to 100; the format's default if not given."""

    resized_images_subdirectory: str = "images-resized"
    """Where resized images go, below each subset."""

    rendition: Annotated[tuple[str, ...], Parameter(show_default=False)] = ()
    """A rendition more, repeatable: `name=thumb,mode=FillCrop,box=224,format=jpg,quality=50,dir=thumbs`."""

    orientation: Annotated[Orientation, BY_VALUE] = Orientation.EXIF
    """What turns resized images: `exif`, `dataset` (the published `Rotation`, so that boxes match) or `keep`."""

    force_rgb: bool = False
    """Give resized images three bands, also where they are grey."""

    background: str = "ffffff"
    """The colour, as six hex digits, under what is transparent and around what has a border."""

    validate: Annotated[Validation, BY_VALUE] = Validation.DECODE
    """`decode` refuses what is damaged, `strict` also what is merely odd; `off` decodes only what is resized."""

    max_pixels: int = 200_000_000
    """The largest picture that is decoded."""

    convert_cmyk: bool = False
    """Save CMYK originals as sRGB JPEGs."""

    convert_png: bool = False
    """Save PNG originals as JPEGs."""

    discard_png: bool = False
    """Count PNGs as failures."""

    prefix_dirs: bool = True
    """Spread files over directories named by the first 3 characters."""

    name_files_by: Annotated[FileNames, BY_VALUE] = FileNames.IMAGE_ID
    """`image-id`, or `flickr`: the name in the URL, as the Scala downloader did."""

    max_total_connections: int = 128
    """How many connections are open at most, idle ones included."""

    max_host_connections: int = 5
    """How many of them to one host."""

    connect_timeout: float = 10.0
    """Seconds to connect, DNS and TLS included."""

    dns_timeout: float = 5.0
    """Seconds of these to find a host's address; addresses are kept for a minute."""

    tls_timeout: float = 5.0
    """Seconds of these for the TLS handshake."""

    stall_timeout: float = 30.0
    """Seconds that a transfer may go without a byte."""

    max_rps: float | None = None
    """Requests per second to one provider (all of Flickr is one) at most; what it bears is learned below that."""

    limit_rate: Annotated[int | None, _BYTES] = None
    """Bytes per second at most, like `10M`, over all transfers together."""

    min_speed: float = 2000.0
    """Bytes per second: a transfer may take the times to connect and to stall, and its expected size at this speed."""

    user_agent: str | None = None
    """How servers are told who asks; `oidl`, its version and what it does if not given."""

    max_retries: int = 15
    """Tries of one image in one run."""

    max_wait: float = 120.0
    """Seconds to wait at the end for images due again."""

    retry_failed: Annotated[tuple[str, ...] | None, Parameter(consume_multiple=True, show_default=False)] = None
    """Try again what failed for good: all of it, or the failures of these reasons."""

    max_duration: Annotated[float | None, _SECONDS] = None
    """Stop after this time, like `90s`, `8h` or `2d`; what is in hand is finished, and a later run goes on."""

    max_bytes: Annotated[int | None, _BYTES] = None
    """Stop after downloading so much, like `500M` or `2T`; what is in hand is finished."""

    max_failure_rate: float = 0.95
    """Stop when this share of the last 200 tries failed for one and the same reason; more than 1 never stops."""

    min_free: Annotated[int, _BYTES] = 1_000_000_000
    """Bytes to leave free on every disk that is written to, like `500M`; at less the run stops."""

    check_space: bool = True
    """Do not begin what cannot fit on the disk, by an estimate from the list's sizes."""

    export_csv: bool = True
    """Write `images-success.csv` and `images-failure.csv` when the run ends."""

    progress: Annotated[Display, BY_VALUE] = Display.AUTO
    """`full` (a screen), `line`, `json` (an object a second on stderr) or `none`; `auto`: `full` where that can be."""

    metrics_file: Path | None = None
    """Write all numbers to this file every few seconds, as Prometheus reads them."""

    log_file: Path | None = None
    """Append a log to this file."""

    log_to_stdout: bool | None = None
    """Log to stdout; on if stdout is not a terminal."""

    web: Annotated[tuple[str, ...] | None, Parameter(consume_multiple=True, show_default=False)] = None
    """Show the run and its pictures on a web page at `HOST:PORT`; if not said, at a free port of this machine alone."""

    open: bool = False
    """Open that page in a browser."""

    def settings(self, version_dir: str, known_subsets: tuple[str, ...]) -> Settings:
        """The settings for a version of the dataset; raises `UsageError` for values that make no sense."""
        check_options(self, known_subsets)
        root_dir = self.root_dir.absolute()
        originals = self._originals()
        return Settings(
            root_dir=root_dir,
            state_db=self.database,
            dataset_version=self.dataset_version or "",
            catalogue=self.catalogue,
            images_csv=_resolved(self.images_csv),
            selection=self.selection(self.limit),
            layout=Layout(root_dir, version_dir, self.prefix_dirs, self.name_files_by),
            originals=originals,
            renditions=self._renditions(originals),
            transfers=Transfers(
                max_total_connections=self.max_total_connections,
                max_host_connections=self.max_host_connections,
                connect_timeout_s=self.connect_timeout,
                dns_timeout_s=self.dns_timeout,
                tls_timeout_s=self.tls_timeout,
                stall_timeout_s=self.stall_timeout,
                min_bytes_per_s=self.min_speed,
                max_rps=self.max_rps,
                max_bytes_per_s=self.limit_rate,
                user_agent=self.user_agent,
            ),
            retries=Retries(self.max_retries, self.max_wait, self._failed()),
            limits=Limits(
                duration_s=self.max_duration,
                bytes_read=self.max_bytes,
                failure_rate=self.max_failure_rate,
                min_free_bytes=self.min_free,
                check_space=self.check_space,
            ),
            imaging=Imaging(
                validation=self.validate,
                max_pixels=self.max_pixels,
                convert_cmyk=self.convert_cmyk,
                convert_png=self.convert_png,
                discard_png=self.discard_png,
                background=hex_colour(self.background, "--background"),
            ),
            download_metadata=self.download_metadata,
            download_images=self.download_images,
            image_list=self.image_list,
            annotations=tuple(dict.fromkeys(self.annotations)),
            load_annotations=self.load_annotations,
            save_tar_balls=self.save_tar_balls,
            export_csv=self.export_csv,
        )

    def _originals(self) -> Originals:
        from oidl.storage.layout import checked_subdirectory

        directory = (
            str(self.original_images_dir.absolute())
            if self.original_images_dir
            else checked_subdirectory(self.original_images_subdirectory, "--original-images-subdirectory")
        )
        if self.source and self.download_300k:
            raise UsageError("--download-300k is --source 300k --source original", hint="say one or the other")
        classic = (Source.THUMBNAIL_300K, Source.ORIGINAL) if self.download_300k else (Source.ORIGINAL,)
        if Source.LOCAL in self.source:
            raise UsageError("--source: an original on disk is taken by itself", hint="choose original, 300k or cvdf")
        return Originals(
            sources=tuple(dict.fromkeys(self.source)) or classic,
            save=self.save_original_images,
            directory=directory,
            check_md5_if_exists=self.check_md5_if_exists,
            always_download=self.always_download,
        )

    def _renditions(self, originals: Originals) -> tuple[Rendition, ...]:
        """The classic rendition, then those of `--rendition`; where there are such, the classic one only if shaped."""
        if not self.resize_images:
            return ()
        background = hex_colour(self.background, "--background")
        renditions = [
            typed_rendition(text, self.orientation, background, force_rgb=self.force_rgb) for text in self.rendition
        ]
        if not renditions or any(getattr(self, name) != getattr(RunOptions, name) for name in _CLASSIC):
            directory = self.resized_images_subdirectory
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

    def _failed(self) -> tuple[Reason, ...] | None:
        """The reasons that were named to be tried again."""
        for name in self.retry_failed or ():
            if name not in tuple(Reason):
                raise UsageError(
                    f"--retry-failed: there is no reason {name!r}", hint=f"choose from {', '.join(Reason)}"
                )
        return None if self.retry_failed is None else tuple(Reason(name) for name in dict.fromkeys(self.retry_failed))


_CLASSIC = (
    "resize_mode", "resize_box_size", "resize_output_format", "resize_compression_quality",
    "resized_images_subdirectory",
)  # fmt: skip


def _resolved(source: str | None) -> str | None:
    """A list's URL as it is, its path made absolute, so that it names the same list from anywhere."""
    if source is None or source.startswith(("http://", "https://")):
        return source
    return str(Path(source).absolute())


__all__ = ["OPTIONS", "SWITCHES", "PlaceOptions", "RunOptions"]

OPTIONS = frozenset(field.name.replace("_", "-") for field in fields(RunOptions))
"""Every option of `oidl run`, without its dashes; what `oidl.toml` may hold."""

SWITCHES = frozenset(field.name.replace("_", "-") for field in fields(RunOptions) if "bool" in str(field.type))
"""Those that are on or off."""
