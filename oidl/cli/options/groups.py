"""Groups of options, and the sections that `--help` and the manual show them in.

A group is a frozen dataclass: a field is an option, the docstring under it its help. A command takes the groups
that it needs, and the user types their options side by side. All options of a group are in its section, except
those with another section of their own.
"""

from collections.abc import Callable
from dataclasses import fields
from typing import Annotated, Any, TypeVar, get_args

from cyclopts import Group, Parameter

PATHS = Group("Paths", sort_key=0)
DOWNLOAD = Group("What to download", sort_key=1)
SELECTION = Group("Choosing images", sort_key=2)
IMAGING = Group("Renditions and imaging", sort_key=3)
NETWORK = Group("Network and pace", sort_key=4)
LIMITS = Group("Limits of the run", sort_key=5)
OUTPUT = Group("Output", sort_key=6)

SECTIONS = (PATHS, DOWNLOAD, SELECTION, IMAGING, NETWORK, LIMITS, OUTPUT)

_UNITS = ("", "_s", "_bytes")

T = TypeVar("T")

flattened = Parameter(name="*")
"""Makes a dataclass a group: a command that takes it has its fields as options."""


def in_section(section: Group) -> Callable[[type[T]], type[T]]:
    """Makes a dataclass a group whose options are shown in `section`. Use it below `@dataclass`."""

    def placed(group: type[T]) -> type[T]:
        for name, kind in group.__annotations__.items():
            if not any(isinstance(part, Parameter) and part.group for part in get_args(kind)):
                group.__annotations__[name] = Annotated[kind, Parameter(group=section)]
        return flattened(group)

    return placed


def filled(settings: type[T], *groups: object, **others: Any) -> T:
    """Settings whose fields are the options of `groups` with the same name, less the unit, and `others`.

    `connect_timeout` fills `connect_timeout_s`. A field that is neither an option nor one of `others` keeps its
    default. Raises `TypeError` if one without a default is missing, or if one of `others` is no field.
    """
    options = {field.name: getattr(group, field.name) for group in groups for field in fields(group)}  # type: ignore[arg-type]
    values = {
        field.name: options[name]
        for field in fields(settings)  # type: ignore[arg-type]
        for unit in _UNITS
        if field.name.endswith(unit) and (name := field.name[: len(field.name) - len(unit)]) in options
    }
    return settings(**values | others)
