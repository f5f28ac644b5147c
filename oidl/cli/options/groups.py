"""The sections that options are shown in, by `--help` and in the manual, in this order.

All options of a class are in its section, except those that name another one themselves.
"""

from collections.abc import Callable
from typing import Annotated, TypeVar, get_args

from cyclopts import Group, Parameter

PATHS = Group("Paths", sort_key=0)
DOWNLOAD = Group("What to download", sort_key=1)
SELECTION = Group("Choosing images", sort_key=2)
IMAGING = Group("Renditions and imaging", sort_key=3)
NETWORK = Group("Network and pace", sort_key=4)
LIMITS = Group("Limits of the run", sort_key=5)
OUTPUT = Group("Output", sort_key=6)

SECTIONS = (PATHS, DOWNLOAD, SELECTION, IMAGING, NETWORK, LIMITS, OUTPUT)

T = TypeVar("T")


def in_section(section: Group) -> Callable[[type[T]], type[T]]:
    """Puts the options that a class declares into `section`. Use it below `@dataclass`."""

    def placed(options: type[T]) -> type[T]:
        for name, kind in options.__annotations__.items():
            if not any(isinstance(part, Parameter) and part.group for part in get_args(kind)):
                options.__annotations__[name] = Annotated[kind, Parameter(group=section)]
        return options

    return placed
