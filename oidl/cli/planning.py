"""The plan of a root as options: which options belong to it, how it fills in those not given, how it is shown.

Each part of a plan is one option. If an option is given that excludes another one, the plan's value of that is ignored.
"""

import shlex
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

from cyclopts import App, ArgumentCollection
from cyclopts.config import Dict

from oidl.cli.options.lists import join_list, quoted
from oidl.cli.options.paths import STATE_DB, given_paths
from oidl.cli.options.types import absolute
from oidl.model import Crop, Rendition
from oidl.text import without_secrets

if TYPE_CHECKING:
    from oidl.cli.options.run import RunOptions
    from oidl.settings import Settings
    from oidl.state.plan import Value

PLAN = (
    "dataset_version", "images_csv", "catalogue", "image_list",
    "subset", "image_ids", "classes", "include_subclasses", "label_types", "verified_only", "attributes",
    "min_box_area", "where", "license", "limit", "limit_per_class", "shuffle", "seed",
    "download_metadata", "annotations", "load_annotations",
    "download_images", "source", "save_tar_balls",
    "save_original_images", "original_images_subdirectory", "original_images_dir", "check_md5_if_exists",
    "resize_images", "resize_mode", "resize_box_size", "resize_output_format", "resize_compression_quality",
    "resized_images_subdirectory", "rendition", "orientation", "force_rgb", "scaling", "background",
    "output_format", "shard_size", "shard_samples", "remote", "keep_local",
    "validate", "max_pixels", "convert_cmyk", "convert_png", "discard_png",
    "prefix_dirs", "name_files_by",
)  # fmt: skip
"""The options of `oidl run` that make up a plan, in the order in which they are shown."""

_PATHS = ("images_csv", "remote", "catalogue", "image_ids", "original_images_dir")
_EITHER = (("original_images_subdirectory", "original_images_dir"),)
_OF_SHARDS = ("shard_size", "shard_samples", "remote", "keep_local")
_REPEATED = ("rendition",)  # its values have commas of their own
_OF_DOWNLOADS = {"rendition", "limit", "limit_per_class", "shuffle", "seed"}
_NOT_OF = {
    # They write what is there: what limited the downloads does not limit them, and `--rendition` is a name.
    "export": _OF_DOWNLOADS,
    "pack": _OF_DOWNLOADS | {"output_format", *_OF_SHARDS},
    "check-licenses": _OF_DOWNLOADS | {"license"},  # it is what gives images the check to choose them by
}
_CHOOSES_NOTHING = {"catalogue"}  # a whole dataset is a lot from any catalogue
_WHERE = ("root_dir", "state_db", "config")
_COMMANDS = (("run",), ("annotations", "load"), ("export",), ("pack",), ("check-licenses",))


class PlannedOptions:
    """The last source of options: the plan of the root, for those that no other source has.

    If any source says what to download or where, a run does not ask, as with `--yes`.
    """

    def __call__(self, app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        """Adds the plan's values to `arguments`. Raises as `stored_plan` does."""
        if commands not in _COMMANDS:
            return
        from oidl.cli.options.renditions import CLASSIC

        given = {argument.name: argument for argument in arguments if argument.tokens}
        plan = {} if (new := given.get("--new-plan")) and new.convert() else _plan_of_root(arguments)
        aside = {option for either in _EITHER if any(flag(each) in given for each in either) for option in either}
        if any(flag(each) in given for each in (*CLASSIC, "rendition")):
            aside.add("resize_images")  # a rendition is asked for
        if (form := given.get("--output-format")) and form.tokens[-1].value.lower() == "files":
            aside.update(_OF_SHARDS)
        options = plan.keys() - aside - _NOT_OF.get(commands[-1], set())
        values = {option: _tokens(option, plan[option]) for option in options}
        if plan or not given.keys().isdisjoint(map(flag, {*PLAN, *_WHERE} - _CHOOSES_NOTHING)):
            values["yes"] = True
        Dict(values, source="plan", allow_unknown=True)(app, (), arguments)


def _plan_of_root(arguments: ArgumentCollection) -> "dict[str, Value]":
    from oidl.state.plan import stored_plan  # slow, and `--help` needs no plan

    root_dir, state_db = given_paths(arguments)
    return stored_plan(absolute(state_db or (root_dir or Path()) / STATE_DB))


def plan_of(options: "RunOptions") -> dict[str, "Value"]:
    """The plan that `options` make, with paths that hold from anywhere, and URLs without what may be secret."""
    values = options.values()
    plan = {option: _plain(values[option]) for option in PLAN}
    for option in _PATHS:
        if (place := plan[option]) is not None:
            plan[option] = without_secrets(place) if "://" in place else str(absolute(Path(place)))
    if plan["limit"] == 0:  # it loads the list and stops, which is about one run; the limit of the plan stays
        from oidl.state.plan import stored_plan

        plan["limit"] = None if options.start.new_plan else stored_plan(options.paths.database).get("limit")
    return {option: value for option, value in plan.items() if value is not None}


def plan_line(plan: Mapping[str, "Value"]) -> str:
    """The options of `plan` as they are typed, without those that have their default value."""
    return " ".join(filter(None, (_typed(option, plan) for option in PLAN)))


def planned_options(plan: Mapping[str, "Value"]) -> "RunOptions":
    """The options of `plan`. Raises `ValueError` for a value that this version does not know."""
    from oidl.cli.options.run import TYPES, RunOptions

    return RunOptions.of({option: _typed_value(TYPES[option], plan[option]) for option in plan if option in TYPES})


def without_rendition(plan: Mapping[str, "Value"], name: str, classic: str | None) -> "dict[str, Value]":
    """`plan` without the rendition `name`; `classic` is the name of the one that is made without `--rendition`."""
    from oidl.cli.options.renditions import CLASSIC

    new, options = dict(plan), planned_options(plan)
    if name in options.sources.settings().original_names:
        return new | {"save_original_images": False}
    renditions = options.renditions
    entries = [text for text in renditions.rendition if renditions.parsed(text).name != name]
    if name == classic:
        # With `--rendition`, it is made only if one of its own options is given.
        return {option: value for option, value in new.items() if option not in CLASSIC} if entries else _unresized(new)
    if len(entries) == len(renditions.rendition):
        return new
    new.pop("rendition")
    if entries:
        return new | {"rendition": entries}
    return new if classic else _unresized(new)


def _unresized(plan: "dict[str, Value]") -> "dict[str, Value]":
    return plan | {"resize_images": False}


def with_rendition(plan: Mapping[str, "Value"], made: Rendition) -> "dict[str, Value]":
    """`plan`, which makes no resized images, with those of `made`."""
    from oidl.cli.options.rendition_parser import rendition_text
    from oidl.cli.options.renditions import CLASSIC

    new: dict[str, Value] = {option: value for option, value in plan.items() if option not in CLASSIC}
    new["resize_images"] = True
    if made.name != made.directory or made.crop is not Crop.CENTRE:  # more than the options of the classic one say
        return new | {"rendition": [rendition_text(made)]}
    new |= {
        "resize_mode": str(made.mode),
        "resize_box_size": made.box_size or 0,
        "resize_output_format": made.format,
        "orientation": str(made.orientation),
        "force_rgb": made.force_rgb,
        "scaling": str(made.scaling),
        "background": made.background,
    }
    return new if made.quality is None else new | {"resize_compression_quality": made.quality}


def plan_changes(before: Mapping[str, "Value"], now: Mapping[str, "Value"]) -> str:
    """The differences of the plan `now`, as text; empty if there are none."""
    return ", ".join(_changes(before, now))


def plan_remarks(before: Mapping[str, "Value"], now: Mapping[str, "Value"]) -> Iterator[str]:
    """What a run says about the plan that it found: what it continues with, and what its options changed."""
    if not before or not now:
        return
    changes = ", ".join(_changes(before, now))
    yield f"continuing with {plan_line(now) or 'the defaults'}" + (f"; changed: {changes}" if changes else "")


def nothing_kept(settings: "Settings") -> Iterator[str]:
    """What a run says if it downloads images and keeps none of them, which may be only a check of the sources."""
    if settings.download_images and not settings.all_renditions and not settings.save_tar_balls:
        yield (
            "no file of an image is kept, because of --no-resize-images; use --resize-images or --save-original-images "
            "to keep some"
        )


def _changes(before: Mapping[str, "Value"], now: Mapping[str, "Value"]) -> Iterator[str]:
    for option in PLAN:
        old, new = _typed(option, before), _typed(option, now)
        if old != new:
            is_switched_on = old == f"--no-{flag(option)[2:]}"
            default = flag(option) if is_switched_on else f"no {flag(option)}"
            yield f"{new or default} (was {old})" if old else new


def flag(option: str) -> str:
    """`--dataset-version`, for `dataset_version`."""
    return f"--{option.replace('_', '-')}"


def _typed(option: str, plan: Mapping[str, "Value"]) -> str:
    """An option as it is typed; empty if it has its default value."""
    value = plan.get(option, _defaults()[option])
    if value == _defaults()[option]:
        return ""
    if isinstance(value, bool):
        return flag(option) if value else flag(f"no-{option}")
    if isinstance(value, list) and option not in _REPEATED:
        value = join_list(value)
    values = value if isinstance(value, list) else [value]
    return " ".join(f"{flag(option)} {shlex.quote(str(each))}" for each in values)


@cache
def _defaults() -> dict[str, "Value | None"]:
    from oidl.cli.options.run import RunOptions

    values = {option: _plain(value) for option, value in RunOptions().values().items() if option in PLAN}
    return values | {"output_format": "files"}  # what a plan says; the option's own default depends on `--cluster`


def _plain(value: Any) -> Any:
    """The value of an option for JSON; None for an option without one."""
    if isinstance(value, tuple):
        return [_plain(each) for each in value] or None
    return str(value) if isinstance(value, Path | Enum) else value


def _typed_value(kind: Any, value: Any) -> Any:
    """A value of the plan, converted to the type of its option. Raises `ValueError` for a value of another type."""
    if isinstance(value, list) and get_origin(kind) is tuple:
        return tuple(_typed_value(get_args(kind)[0], item) for item in value)
    parts = [kind] if isinstance(kind, type) else [part for part in get_args(kind) if isinstance(part, type)]
    made = next((part for part in parts if issubclass(part, Enum | Path)), None)
    fits = isinstance(value, str) if made else isinstance(value, (*parts, *((int,) if float in parts else ())))
    if not fits or get_origin(kind) is tuple:
        raise ValueError(f"{value!r} is not a {kind}")
    return made(value) if made else value


def _tokens(option: str, value: "Value") -> Any:
    """What cyclopts makes tokens from; one for each item of a list."""
    if isinstance(value, list):
        return value if option in _REPEATED else list(map(quoted, value))
    return value if isinstance(value, bool) else str(value)
