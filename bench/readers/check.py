"""What a check is: a reader, what it opens, and what it must find there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

Facts: TypeAlias = Mapping[str, float | str]


@dataclass(frozen=True, slots=True)
class Check:
    """One reader on one output.

    `packages` are what pip installs for it, the reader first, none for Python itself, and `modules` what it imports.
    `read` gives what it finds at the place of `output`, by the names in `facts`; the database's answers to the same
    are those `about` a kind of output.
    """

    output: str
    reader: str
    packages: tuple[str, ...]
    modules: tuple[str, ...]
    read: Callable[[Path], Facts]
    facts: tuple[str, ...]

    @property
    def about(self) -> str:
        """The output, however its image files were made."""
        return self.output.partition(", --")[0]


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a check: facts, or one of the reasons why there are none.

    `missing` are packages that are not installed, `broken` says why a reader could not be imported, and `refused` what
    it said of the export.
    """

    version: str = ""
    facts: Facts = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    broken: str = ""
    refused: str = ""
