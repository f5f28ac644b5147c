"""Options: how files are arranged below the root directory."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from oidl.cli.options.groups import PATHS, in_section
from oidl.cli.options.types import one_of
from oidl.settings import FileNames, Layout

_LAYOUT = Layout(Path(), "")


@dataclass(frozen=True, kw_only=True)
@in_section(PATHS)
class LayoutOptions:
    """Layout."""

    prefix_dirs: bool = _LAYOUT.prefix_dirs
    """Put files in subdirectories named by the first 3 characters of their names, like `0a1/0a1….jpg`."""

    name_files_by: Annotated[FileNames, one_of(FileNames)] = _LAYOUT.name_files_by
    """Name files by `image-id`, or `flickr`: the name in `OriginalURL`, as the Scala downloader did."""

    def settings(self, root_dir: Path, version_dir: str) -> Layout:
        """Where files go, below the absolute `root_dir`."""
        return Layout(root_dir, version_dir, self.prefix_dirs, self.name_files_by)
