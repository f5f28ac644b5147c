"""All options of `oidl run`, by groups, and the `Settings` that they make."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, get_args, get_type_hints

from oidl.cli.options.cluster import ClusterOptions
from oidl.cli.options.dataset import DatasetOptions
from oidl.cli.options.download import DownloadOptions
from oidl.cli.options.groups import filled, flattened
from oidl.cli.options.imaging import ImagingOptions
from oidl.cli.options.layout import LayoutOptions
from oidl.cli.options.limits import LimitOptions
from oidl.cli.options.network import NetworkOptions, TimeoutOptions
from oidl.cli.options.output import OutputOptions, ProgressOptions
from oidl.cli.options.paths import PathOptions
from oidl.cli.options.renditions import RenditionOptions
from oidl.cli.options.retries import RetryOptions
from oidl.cli.options.selection import SelectionOptions
from oidl.cli.options.shards import ShardOptions
from oidl.cli.options.sources import SourceOptions
from oidl.cli.options.start import StartOptions
from oidl.cli.options.types import absolute
from oidl.cores import usable_cores
from oidl.dataset.published import Version
from oidl.errors import UsageError
from oidl.settings import Settings
from oidl.text import suggestion


@flattened
@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """All options of `oidl run`. The fields are groups; no two options have the same name."""

    paths: PathOptions = PathOptions()
    layout: LayoutOptions = LayoutOptions()
    dataset: DatasetOptions = DatasetOptions()
    download: DownloadOptions = DownloadOptions()
    sources: SourceOptions = SourceOptions()
    selection: SelectionOptions = SelectionOptions()
    renditions: RenditionOptions = RenditionOptions()
    shards: ShardOptions = ShardOptions()
    imaging: ImagingOptions = ImagingOptions()
    timeouts: TimeoutOptions = TimeoutOptions()
    network: NetworkOptions = NetworkOptions()
    cluster: ClusterOptions = ClusterOptions()
    retries: RetryOptions = RetryOptions()
    limits: LimitOptions = LimitOptions()
    start: StartOptions = StartOptions()
    progress: ProgressOptions = ProgressOptions()
    output: OutputOptions = OutputOptions()

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "RunOptions":
        """The options with these values, by name; the others have their defaults."""
        return cls(
            **{
                name: group(**{field.name: values[field.name] for field in fields(group) if field.name in values})
                for name, group in _GROUPS.items()
            }
        )

    def values(self) -> dict[str, Any]:
        """The value of every option, by name."""
        groups = (getattr(self, name) for name in _GROUPS)
        return {field.name: getattr(group, field.name) for group in groups for field in fields(group)}

    def check(self, version: Version) -> None:
        """Raises `UsageError` for a subset or a source that `version` does not have."""
        for subset in self.selection.subset:
            if subset not in version.subsets:
                raise UsageError(f"--subset: there is no subset {subset!r}", hint=suggestion(subset, version.subsets))
        self.sources.check(version.mirrors)

    def settings(self, version_dir: str) -> Settings:
        """The settings for a version with this directory. Raises `UsageError` for options that exclude each other."""
        root_dir = absolute(self.paths.root_dir)
        on_cluster = self.cluster.cluster is not None
        store = self.shards.store(on_cluster=on_cluster)
        originals = replace(self.sources.settings(), store=store)
        renditions = tuple(replace(each, store=store) for each in self.renditions.settings(originals))
        return filled(
            Settings,
            self.dataset,
            self.download,
            self.output,
            root_dir=root_dir,
            state_db=self.paths.database,
            dataset_version=self.dataset.dataset_version or "",
            images_csv=self.dataset.image_list_source,
            selection=self.selection.settings(self.limits.limit),
            layout=self.layout.settings(root_dir, version_dir),
            originals=originals,
            renditions=renditions,
            transfers=self.network.settings(self.timeouts),
            retries=self.retries.settings(),
            limits=self.limits.settings(),
            imaging=self.imaging.settings(self.renditions.background),
            is_directory_given=self.renditions.resized_images_subdirectory is not None,
            threads=self.imaging.threads or usable_cores(),
            processes=self.imaging.processes,
            shards=self.shards.settings(store, on_cluster=on_cluster),
            cluster=self.cluster.cluster,
            node_threads=self.imaging.threads,
        )


def _is_switch(kind: object) -> bool:
    return kind is bool or any(_is_switch(part) for part in get_args(kind))


_GROUPS: dict[str, type[Any]] = get_type_hints(RunOptions)

TYPES = {name: kind for group in _GROUPS.values() for name, kind in get_type_hints(group).items()}
"""The type of every option of `oidl run`, by its name in a group."""

OPTIONS = frozenset(name.replace("_", "-") for name in TYPES)
"""Every option of `oidl run`, without its dashes; what `oidl.toml` may hold."""

SWITCHES = frozenset(name.replace("_", "-") for name, kind in TYPES.items() if _is_switch(kind))
"""Those that are on or off."""
