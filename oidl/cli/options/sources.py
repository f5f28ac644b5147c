"""Options: where images come from, and which originals are kept or trusted."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from oidl.cli.options.groups import DOWNLOAD, in_section
from oidl.cli.options.lists import list_of
from oidl.cli.options.types import absolute
from oidl.model import Source
from oidl.settings import SourceSettings

_ORIGINALS = SourceSettings()
# Originals on disk need no option: they are taken by themselves.
_SOURCES = list_of("source", "original,cvdf", [source for source in Source if source != Source.LOCAL])


@dataclass(frozen=True, kw_only=True)
@in_section(DOWNLOAD)
class SourceOptions:
    """Sources and originals."""

    source: Annotated[tuple[Source, ...], _SOURCES] = ()
    """Sources to ask, in order: `original` (default), `300k` (Flickr's small version), `cvdf` (a mirror), or a list."""

    save_original_images: bool = _ORIGINALS.save
    """Keep the images as they were downloaded."""

    original_images_subdirectory: str = _ORIGINALS.directory
    """The directory for originals, below each subset."""

    original_images_dir: Path | None = None
    """Keep originals under this directory instead, anywhere: `<dir>/<subset>/…`."""

    check_md5_if_exists: bool = _ORIGINALS.check_md5_if_exists
    """Trust an original on disk only if its MD5 is the published one; otherwise its size is enough."""

    always_download: bool = _ORIGINALS.always_download
    """Download again what is done or on disk already."""

    def settings(self) -> SourceSettings:
        """Where bytes come from, and what is kept of them. Raises `UsageError` for a directory that is none."""
        from oidl.storage.layout import checked_subdirectory

        if self.original_images_dir:
            directory = str(absolute(self.original_images_dir))
        else:
            directory = checked_subdirectory(self.original_images_subdirectory, "--original-images-subdirectory")
        return SourceSettings(
            sources=self.source or _ORIGINALS.sources,
            save=self.save_original_images,
            directory=directory,
            check_md5_if_exists=self.check_md5_if_exists,
            always_download=self.always_download,
        )
