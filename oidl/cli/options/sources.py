"""Options: what is downloaded, from where, and what is kept of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from oidl.cli.options.groups import DOWNLOAD, in_section
from oidl.cli.options.lists import list_of
from oidl.cli.options.types import absolute, one_of
from oidl.errors import UsageError
from oidl.model import Extent, FileKind, Reason, Source
from oidl.settings import SourceSettings

ANNOTATIONS = list_of("kind of annotation", "boxes,labels", [kind for kind in FileKind if kind != FileKind.IMAGE_LIST])
REASONS = list_of("reason", "forbidden,md5_mismatch", Reason, takes_all=True)
# Of originals on disk nothing needs to be said: they are taken by themselves.
SOURCES = list_of("source", "original,cvdf", [source for source in Source if source != Source.LOCAL])


@dataclass(frozen=True, kw_only=True)
@in_section(DOWNLOAD)
class DownloadOptions:
    """What to download."""

    dataset_version: str | None = None
    """The version of Open Images: one of the catalogue's; the newest, which is 7, if not given."""

    images_csv: str | None = None
    """An image list of your own, a path or URL: `.csv`, `.csv.gz` or `.tar.gz` in the version's format."""

    catalogue: Path | None = None
    """A TOML file in the built-in catalogue's format, to use instead of that (mirrors, tests)."""

    image_list: Annotated[Extent, one_of(Extent)] = Extent.FULL
    """Which images of `train`, in V4–V7: `full`, those with `boxable` objects, or those with `labels`."""

    download_metadata: bool = True
    """Download the version's annotations and classes."""

    annotations: Annotated[tuple[FileKind, ...], ANNOTATIONS] = ()
    """Kinds to download, like `boxes,labels`. Default: what chose the images, or boxes; for whole subsets, all."""

    load_annotations: bool = False
    """Load the annotations into the state database too; those of chosen images are loaded in any case."""

    download_images: bool = True
    """Download the image list and the images."""

    save_tar_balls: bool = False
    """Keep the archives after they are unpacked."""

    source: Annotated[tuple[Source, ...], SOURCES] = ()
    """Whose images: `original`, `300k`, or `cvdf` (a mirror's 1024 px copies); of a list, the next where one fails."""

    download_300k: Annotated[bool, Parameter(name="--download-300k")] = False
    """The older spelling of `--source 300k,original`: the small `Thumbnail300KURL` where an image has one."""

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

    retry_failed: Annotated[tuple[Reason, ...] | None, REASONS] = None
    """Try again what failed for good: all of it, or the failures of these reasons, like `forbidden,md5_mismatch`."""

    retry_now: bool = False
    """Ignore pauses and retry times that earlier runs left, and continue at once; `--retry-failed` does so too."""

    def originals(self) -> SourceSettings:
        """Where bytes come from, and what is kept of them. Raises `UsageError`."""
        from oidl.storage.layout import checked_subdirectory

        directory = (
            str(absolute(self.original_images_dir))
            if self.original_images_dir
            else checked_subdirectory(self.original_images_subdirectory, "--original-images-subdirectory")
        )
        if self.source and self.download_300k:
            raise UsageError("--download-300k is --source 300k,original", hint="use one or the other")
        classic = (Source.THUMBNAIL_300K, Source.ORIGINAL) if self.download_300k else (Source.ORIGINAL,)
        return SourceSettings(
            sources=self.source or classic,
            save=self.save_original_images,
            directory=directory,
            check_md5_if_exists=self.check_md5_if_exists,
            always_download=self.always_download,
        )
