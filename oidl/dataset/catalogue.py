"""The versions of Open Images: what each consists of, and where it is had.

The facts are in `catalogue.toml`, not here. Another file of that format may be
given, so everything in one is checked before it is believed: its names become
files and directories, its URLs requests.
"""

import re
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

from oidl.dataset.rows import HTTP_URL, Quoting
from oidl.errors import UsageError

BUILT_IN = Path(__file__).with_name("catalogue.toml")

_NAME = r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}"  # one file or directory: no slash, and never "." or ".."
_HOSTS = r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*"  # one host, or all below a domain


@dataclass(frozen=True, slots=True)
class Archive:
    """One published file; `bytes` and `md5` (lower-case hex) are of the file as served, None where not known."""

    name: str
    url: str
    bytes: int | None
    md5: str | None


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the dataset; `directory` is where its subsets lie, in the archives as under the root.

    `providers` maps patterns of host names to who runs them: such hosts share one pace.
    """

    name: str
    title: str
    directory: str
    subsets: tuple[str, ...]
    quoting: Quoting
    image_list: Archive
    metadata: tuple[Archive, ...]
    providers: dict[str, str] = field(default_factory=dict)


def read_catalogue(path: Path | None) -> dict[str, Version]:
    """The versions by name, in the file's order; None reads the catalogue that comes with the program.

    Raises `UsageError`, with the file and the key in its sentence, for a file
    that cannot be read as a catalogue.
    """
    file = path or BUILT_IN
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"the catalogue {file} cannot be read: {error.strerror}") from error
    except ValueError as error:  # not UTF-8, or not TOML
        raise UsageError(f"the catalogue {file} is not TOML: {error}") from error
    top = _Table(file, "", content)
    versions = top.table("version")
    providers = _providers(top.table("provider")) if "provider" in top.names() else {}
    top.close()
    catalogue = {name: replace(_version(name, versions.table(name)), providers=providers) for name in versions.names()}
    return catalogue or versions.refuse("lists no version")


def find_version(catalogue: dict[str, Version], name: str) -> Version:
    """The version called `name`: "3", "v3" or "V3". Raises `UsageError` where there is none."""
    for known in (name, name.lower().removeprefix("v")):
        if known in catalogue:
            return catalogue[known]
    raise UsageError(f"there is no dataset version {name!r}", hint=f"the catalogue has: {', '.join(catalogue)}")


def _version(name: str, table: "_Table") -> Version:
    if not re.fullmatch(_NAME, name):
        table.refuse("is not a plain name")
    version = Version(
        name=name,
        title=table.text("title", r"[^\n]+", "one line of text"),
        directory=table.text("directory", _NAME, "the plain name of one directory"),
        subsets=table.texts("subsets", _NAME, "a list of different plain names"),
        quoting=Quoting(table.text("quoting", "|".join(Quoting), f"one of: {', '.join(Quoting)}")),
        image_list=_archive(table.table("image_list")),
        metadata=tuple(_archive(entry) for entry in table.tables("metadata")),
    )
    names = [archive.name for archive in (version.image_list, *version.metadata)]
    if len(set(names)) < len(names):
        table.refuse("has two archives of one name")
    table.close()
    return version


def _providers(table: "_Table") -> dict[str, str]:
    return {pattern: name for name in table.names() for pattern in table.texts(name, _HOSTS, "a list of host names")}


def _archive(table: "_Table") -> Archive:
    archive = Archive(
        name=table.text("name", _NAME, "the plain name of one file"),
        url=table.text("url", HTTP_URL, "an http or https URL"),
        bytes=table.count("bytes") if "bytes" in table.names() else None,
        md5=table.text("md5", "[0-9a-f]{32}", "32 lower-case hex digits") if "md5" in table.names() else None,
    )
    table.close()
    return archive


class _Table:
    """A TOML table while it is read: it knows where it stands, and which of its keys nobody has asked for."""

    def __init__(self, file: Path, key: str, content: object) -> None:
        self._file = file
        self._key = key
        if not isinstance(content, dict):
            self.refuse("is not a table")
        self._content: dict[str, object] = dict(content)

    def names(self) -> list[str]:
        return list(self._content)

    def refuse(self, why: str, name: str = "") -> NoReturn:
        place = ".".join(part for part in (self._key, name) if part) or "it"
        raise UsageError(f"in the catalogue {self._file}, {place} {why}")

    def close(self) -> None:
        for name in self._content:
            self.refuse("is not a key that a catalogue has", name)

    def text(self, name: str, pattern: str, what: str) -> str:
        value = self._take(name)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            self.refuse(f"must be {what}", name)
        return value

    def texts(self, name: str, pattern: str, what: str) -> tuple[str, ...]:
        values = self._take(name)
        if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
            self.refuse(f"must be {what}", name)
        if len(set(values)) < len(values) or not all(re.fullmatch(pattern, value) for value in values):
            self.refuse(f"must be {what}", name)
        return tuple(values)

    def count(self, name: str) -> int:
        value = self._take(name)
        if type(value) is not int or value < 1:  # not isinstance: `true` is an int in Python, not in TOML
            self.refuse("must be a positive whole number", name)
        return value

    def table(self, name: str) -> "_Table":
        return _Table(self._file, f"{self._key}.{name}".removeprefix("."), self._take(name))

    def tables(self, name: str) -> list["_Table"]:
        values = self._content.pop(name, [])
        if not isinstance(values, list):
            self.refuse("must be a list of tables", name)
        return [_Table(self._file, f"{self._key}.{name}[{place}]", value) for place, value in enumerate(values)]

    def _take(self, name: str) -> object:
        if name not in self._content:
            self.refuse("is missing", name)
        return self._content.pop(name)
