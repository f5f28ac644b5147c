"""What can be typed after `oidl run`, by sections, and the `Settings` that it makes.

The docstring under an option is its help text, here and in the manual.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, get_args

from cyclopts import Parameter

from oidl.cli.options.checks import check_options
from oidl.cli.options.groups import PATHS, in_section
from oidl.cli.options.imaging import ImagingOptions
from oidl.cli.options.limits import LimitOptions
from oidl.cli.options.network import NetworkOptions
from oidl.cli.options.output import OutputOptions
from oidl.cli.options.selection import SelectionOptions
from oidl.cli.options.sources import DownloadOptions
from oidl.cli.options.types import absolute, one_of
from oidl.cli.planning import plan_of
from oidl.cores import usable_cores
from oidl.settings import FileNames, Layout, Retries, Settings


@dataclass(frozen=True, kw_only=True)
@in_section(PATHS)
class RunOptions(SelectionOptions, DownloadOptions, ImagingOptions, NetworkOptions, LimitOptions, OutputOptions):
    """Everything that `oidl run` can be told."""

    prefix_dirs: bool = True
    """Spread files over directories named by the first 3 characters."""

    name_files_by: Annotated[FileNames, one_of(FileNames)] = FileNames.IMAGE_ID
    """`image-id`, or `flickr`: the name in `OriginalURL`, as the Scala downloader did."""

    new_plan: Annotated[bool, Parameter(negative=())] = False
    """Start from the defaults; otherwise a root goes on with the options that it was last run with."""

    def settings(self, version_dir: str, known_subsets: tuple[str, ...]) -> Settings:
        """The settings for a version of the dataset; raises `UsageError` for values that make no sense."""
        check_options(self, known_subsets)
        root_dir = absolute(self.root_dir)
        originals = self.originals()
        return Settings(
            root_dir=root_dir,
            state_db=self.database,
            dataset_version=self.dataset_version or "",
            catalogue=self.catalogue,
            images_csv=_resolved(self.images_csv),
            selection=self.selection(self.limit),
            layout=Layout(root_dir, version_dir, self.prefix_dirs, self.name_files_by),
            originals=originals,
            renditions=self.renditions(originals),
            transfers=self.transfers(),
            retries=Retries(self.max_retries, self.max_wait, self.confirm_after, self.retry_failed, self.retry_now),
            limits=self.limits(),
            imaging=self.imaging(),
            download_metadata=self.download_metadata,
            download_images=self.download_images,
            image_list=self.image_list,
            annotations=self.annotations,
            load_annotations=self.load_annotations,
            save_tar_balls=self.save_tar_balls,
            export_csv=self.export_csv,
            is_directory_given=self.resized_images_subdirectory is not None,
            plan=plan_of(self),
            threads=self.threads or usable_cores(),
        )


def _resolved(source: str | None) -> str | None:
    """A list's URL as it is, its path made absolute, so that it names the same list from anywhere."""
    if source is None or source.startswith(("http://", "https://")):
        return source
    return str(absolute(Path(source)))


def _is_switch(kind: object) -> bool:
    return kind is bool or any(_is_switch(part) for part in get_args(kind))


OPTIONS = frozenset(field.name.replace("_", "-") for field in fields(RunOptions))
"""Every option of `oidl run`, without its dashes; what `oidl.toml` may hold."""

SWITCHES = frozenset(field.name.replace("_", "-") for field in fields(RunOptions) if _is_switch(field.type))
"""Those that are on or off."""
