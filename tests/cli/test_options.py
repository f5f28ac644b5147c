"""Groups of options: each option counts, has the default of the settings, and is one of one group."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest
from typed import options, run_options

from oidl.cli.legacy import LEGACY
from oidl.cli.options.groups import filled
from oidl.cli.options.imaging import ImagingOptions
from oidl.cli.options.layout import LayoutOptions
from oidl.cli.options.limits import LimitOptions
from oidl.cli.options.network import NetworkOptions, TimeoutOptions
from oidl.cli.options.retries import RetryOptions
from oidl.cli.options.run import OPTIONS, TYPES, RunOptions
from oidl.cli.options.selection import SelectionOptions
from oidl.cli.options.sources import SourceOptions
from oidl.model import (
    Extent,
    FileKind,
    LabelType,
    LicenseFilter,
    Orientation,
    Reason,
    ResizeMode,
    Scaling,
    StoreKind,
    Validation,
)
from oidl.settings import (
    FileNames,
    Imaging,
    Layout,
    Limits,
    NetworkSettings,
    Retries,
    Selection,
    Settings,
    SourceSettings,
)

_ROOT = Path("/root")

_MADE: dict[type[Any], tuple[Callable[[Any], Any], Any]] = {
    TimeoutOptions: (lambda group: NetworkOptions().settings(group), NetworkSettings()),
    NetworkOptions: (lambda group: group.settings(TimeoutOptions()), NetworkSettings()),
    RetryOptions: (lambda group: group.settings(), Retries()),
    ImagingOptions: (lambda group: group.settings("ffffff"), Imaging()),
    SourceOptions: (lambda group: group.settings(), SourceSettings()),
    SelectionOptions: (lambda group: group.settings(), Selection()),
    LayoutOptions: (lambda group: group.settings(_ROOT, "v7"), Layout(_ROOT, "v7")),
    LimitOptions: (lambda group: group.settings(), Limits()),
}
"""What the options of a group come to, and what that is by default."""

_OTHER = {
    "subset": ("test",), "image_ids": Path("ids"), "classes": ("Cat",), "label_types": (LabelType.LABELS,),
    "attributes": ("IsGroupOf=0",), "min_box_area": 0.5, "limit_per_class": 3, "where": "1",
    "license": (LicenseFilter.SAME,), "scaling": Scaling.FAST,
    "source": ("cvdf",), "original_images_dir": Path("/there"), "original_images_subdirectory": "there",
    "images_csv": "list.csv", "catalogue": Path("c.toml"), "image_list": Extent.LABELS,
    "annotations": (FileKind.BOXES,),
    "resize_mode": ResizeMode.BORDER, "resize_output_format": "png", "resize_compression_quality": 5,
    "resized_images_subdirectory": "there", "rendition": ("box=9",), "orientation": Orientation.KEEP,
    "background": "000000", "output_format": StoreKind.WEBDATASET, "remote": "s3://bucket/prefix",
    "validate": Validation.OFF, "name_files_by": FileNames.FLICKR, "dataset_version": "3",
    "retry_failed": (Reason.GONE,), "limit_rate": 9, "max_rps": 9.0, "user_agent": "me", "max_duration": 9.0,
    "max_bytes": 9, "limit": 9, "threads": 99, "processes": 9, "cluster": "local:3",
    "root_dir": Path("/elsewhere"), "state_db": Path("/elsewhere.sqlite3"), "include_subclasses": True,
}  # fmt: skip
"""Values that are not the default ones, for what is neither a switch nor a number."""

_BESIDE = {
    "config", "progress", "web", "open", "metrics_file", "log_file", "log_to_stdout", "new_plan", "dry_run", "yes",
}  # fmt: skip
"""Options of `oidl run` that are about the command, and not of its settings."""


_REQUIRED: dict[str, dict[str, Any]] = {
    "include_subclasses": {"classes": ("Cat",)},
    "remote": {"output_format": StoreKind.WEBDATASET},
    "shard_size": {"output_format": StoreKind.WEBDATASET},
    "shard_samples": {"output_format": StoreKind.WEBDATASET},
    "keep_local": {"output_format": StoreKind.WEBDATASET, "remote": "s3://bucket"},
}
"""Options that others require."""


def _other(option: str, default: Any) -> Any:
    if option in _OTHER:
        return _OTHER[option]
    return not default if isinstance(default, bool) else default + 1


def _changed(group: Any, option: str) -> Any:
    more = {"classes": ("Cat",)} if option == "include_subclasses" else {}
    return replace(group, **more | {option: _other(option, getattr(group, option))})


_OF_OTHERS = (
    (ImagingOptions, "threads"),
    (ImagingOptions, "processes"),
    (LimitOptions, "limit"),
)  # they go into other settings, see below


@pytest.mark.parametrize(
    ("kind", "option"),
    [(kind, field.name) for kind in _MADE for field in fields(kind) if (kind, field.name) not in _OF_OTHERS],
)
def test_every_option_of_a_group_counts(kind: type[Any], option: str) -> None:
    settings, default = _MADE[kind]
    assert settings(kind()) == default
    assert settings(_changed(kind(), option)) != default


@pytest.mark.parametrize("option", sorted(TYPES.keys() - _BESIDE))
def test_every_option_of_a_run_comes_into_its_settings(option: str) -> None:
    values = RunOptions().values()
    more = _REQUIRED.get(option, {})
    now = RunOptions.of(more | {option: _other(option, values[option])})
    assert now.settings("v7") != RunOptions.of(more).settings("v7")


def test_groups_without_settings_of_their_own_fill_those_of_the_run_with_its_defaults() -> None:
    run = RunOptions().settings("v7")
    for field in fields(Settings):
        if field.name in ("download_metadata", "download_images", "load_annotations", "save_tar_balls", "export_csv"):
            assert getattr(run, field.name) == field.default
    assert (run.image_list, run.annotations) == (Extent.FULL, ())


def test_no_option_is_in_two_groups() -> None:
    names = [option.name for group in fields(RunOptions) for option in fields(group.type)]  # type: ignore[arg-type]
    assert len(names) == len(set(names)) == len(OPTIONS)


def test_values_by_name_and_options_by_groups_are_the_same() -> None:
    selected = run_options(["run", "--limit=3", "--classes=Cat", "--no-prefix-dirs", "--stall-timeout=7"])
    assert RunOptions.of(selected.values()) == selected
    assert (selected.limits.limit, selected.selection.classes, selected.timeouts.stall_timeout) == (3, ("Cat",), 7.0)


# ---- filling


@dataclass(frozen=True)
class _Wait:
    wait_s: float
    size_bytes: int = 5
    name: str = "none"


@dataclass(frozen=True)
class _Typed:
    wait: float = 2.0
    size: int = 7


def test_settings_are_filled_by_name_less_the_unit() -> None:
    assert filled(_Wait, _Typed()) == _Wait(2.0, 7, "none")
    assert filled(_Wait, _Typed(), name="other", size_bytes=1) == _Wait(2.0, 1, "other")


def test_what_is_no_field_or_missing_is_refused() -> None:
    with pytest.raises(TypeError):
        filled(_Wait, _Typed(), names="other")
    with pytest.raises(TypeError):
        filled(_Wait)


# ---- spellings of the older downloader


@pytest.mark.parametrize("old", LEGACY)
def test_an_old_spelling_is_what_it_stands_for(old: str) -> None:
    assert options(["run", old]) == options(["run", *LEGACY[old]])


def test_the_small_images_of_the_older_downloader_come_first() -> None:
    assert options(["run", "--download-300k"]).source == ("300k", "original")
    assert options(["run", "--nodownload-300k"]).source == ()


def test_the_file_of_options_names_what_took_the_place_of_an_old_one(oidl: Any) -> None:
    (oidl.cwd / "oidl.toml").write_text("download-300k = true\n")
    ended = oidl("run")
    assert ended.stderr == "oidl: oidl.toml: there is no option 'download-300k'\n  use source = '300k,original'\n"
