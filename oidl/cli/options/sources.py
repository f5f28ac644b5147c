"""Options: where images come from, and which originals are kept or trusted."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from oidl.cli.options.groups import DOWNLOAD, in_section
from oidl.cli.options.lists import list_of
from oidl.cli.options.types import absolute
from oidl.dataset.catalogue import built_in_mirrors
from oidl.errors import UsageError
from oidl.model import Source
from oidl.settings import SourceSettings
from oidl.text import suggestion

_ORIGINALS = SourceSettings()
MIRRORS = built_in_mirrors()
"""The mirrors of the built-in catalogue; another one may have others."""

_HELP = (
    "Where to fetch images, in this order: `original` (on Flickr, the default), `300k` (Flickr's small version), "
    f"{' or '.join(f'`{name}`' for name in MIRRORS)} (a mirror)."
)

if TYPE_CHECKING:
    _Name = str
else:
    _Name = Literal["original", "300k", *MIRRORS] | str  # shells complete the names, and any other may be typed


@dataclass(frozen=True, kw_only=True)
@in_section(DOWNLOAD)
class SourceOptions:
    """Sources and originals."""

    source: Annotated[
        tuple[_Name, ...], list_of("source", "original,300k", lowers=True), Parameter(help=_HELP, metavar="CHOICE...")
    ] = ()

    save_original_images: bool = _ORIGINALS.save
    """Keep the images as they were downloaded."""

    original_images_subdirectory: str = _ORIGINALS.directory
    """The directory for originals, below each subset."""

    original_images_dir: Path | None = None
    """Keep originals in this directory instead, which can be anywhere: `<dir>/<subset>/…`."""

    check_md5_if_exists: bool = _ORIGINALS.check_md5_if_exists
    """Trust an original on disk only if its MD5 is the published one; otherwise its size is enough."""

    always_download: bool = _ORIGINALS.always_download
    """Download images again, even if they are done or on disk already."""

    def check(self, mirrors: Collection[str]) -> None:
        """Raises `UsageError` for a source that is neither Flickr's nor one of `mirrors`."""
        known = (Source.ORIGINAL, Source.THUMBNAIL_300K, *mirrors)
        for source in self.source:
            if source not in known:
                raise UsageError(f"--source: there is no source {source!r}", hint=suggestion(source, known))

    def settings(self) -> SourceSettings:
        """Where bytes come from, and what is kept of them. Raises `UsageError` for a directory that is none."""
        from oidl.storage.layout import checked_subdirectory

        if self.original_images_dir:
            directory = str(absolute(self.original_images_dir))
        else:
            directory = checked_subdirectory(self.original_images_subdirectory, "--original-images-subdirectory")
        return SourceSettings(
            sources=tuple(map(Source, self.source)) or _ORIGINALS.sources,
            save=self.save_original_images,
            directory=directory,
            check_md5_if_exists=self.check_md5_if_exists,
            always_download=self.always_download,
        )
