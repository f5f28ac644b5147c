"""Options: what is downloaded, from where, and what is kept of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from oidl.cli.sections import DOWNLOAD, in_section
from oidl.cli.typed import BY_VALUE, KINDS, absolute
from oidl.errors import UsageError
from oidl.model import Extent, FileKind, Reason, Source
from oidl.settings import Originals


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

    image_list: Annotated[Extent, BY_VALUE] = Extent.FULL
    """Which images of `train`, in V4–V7: `full`, those with `boxable` objects, or those with `labels`."""

    download_metadata: bool = True
    """Download the version's annotations and classes."""

    annotations: Annotated[tuple[FileKind, ...], KINDS] = ()
    """Kinds to download; repeatable. Default: what chose the images, or boxes; without a choice, all non-optional."""

    load_annotations: bool = False
    """Load the annotations into the state database too; those of chosen images are loaded in any case."""

    download_images: bool = True
    """Download the image list and the images."""

    save_tar_balls: bool = False
    """Keep the archives after they are unpacked."""

    source: Annotated[tuple[Source, ...], KINDS] = ()
    """Whose images: `original`, `300k`, or `cvdf` (a mirror's 1024 px copies); repeatable, the next where one fails."""

    download_300k: Annotated[bool, Parameter(name="--download-300k")] = False
    """The older spelling of `--source 300k --source original`: the small `Thumbnail300KURL` where an image has one."""

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

    retry_failed: Annotated[tuple[str, ...] | None, Parameter(consume_multiple=True, show_default=False)] = None
    """Try again what failed for good: all of it, or the failures of these reasons."""

    retry_now: bool = False
    """Ignore pauses and retry times that earlier runs left, and continue at once; `--retry-failed` does so too."""

    def originals(self) -> Originals:
        """Where bytes come from, and what is kept of them. Raises `UsageError`."""
        from oidl.storage.layout import checked_subdirectory

        directory = (
            str(absolute(self.original_images_dir))
            if self.original_images_dir
            else checked_subdirectory(self.original_images_subdirectory, "--original-images-subdirectory")
        )
        if self.source and self.download_300k:
            raise UsageError("--download-300k is --source 300k --source original", hint="use one or the other")
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

    def failed(self) -> tuple[Reason, ...] | None:
        """The reasons that were named to be tried again."""
        for name in self.retry_failed or ():
            if name not in tuple(Reason):
                raise UsageError(
                    f"--retry-failed: there is no reason {name!r}", hint=f"choose from {', '.join(Reason)}"
                )
        return None if self.retry_failed is None else tuple(Reason(name) for name in dict.fromkeys(self.retry_failed))
