"""A check: a reader, the output that it opens, and what it must find there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

Facts: TypeAlias = Mapping[str, float | str]


@dataclass(frozen=True, slots=True)
class Check:
    """One reader on one output.

    `packages` are what pip installs, the reader first, none for Python itself; `modules` are what it imports. `read`
    returns the facts that it finds at the path of `output`, with the names in `facts`. `about` is the kind of output
    for which the database has the expected facts.
    """

    output: str
    reader: str
    packages: tuple[str, ...]
    modules: tuple[str, ...]
    read: Callable[[Path], Facts]
    facts: tuple[str, ...]

    @property
    def about(self) -> str:
        """The output without the way its image files were made."""
        return self.output.partition(", --")[0]


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a check: facts, or one of the reasons why there are none.

    `missing` are packages that are not installed, `broken` says why a reader cannot be imported, and `refused` is its
    complaint about the export.
    """

    version: str = ""
    facts: Facts = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    broken: str = ""
    refused: str = ""
