"""The versions of Open Images: the files of each, and their URLs.

The data is in `catalogue.toml`, its meaning in `published`. The user may give
another file of that format, so everything in it is validated: its names become
files and directories, its URLs requests.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from oidl.dataset.published import LicenseServices, Mirror, PublishedFile, Version
from oidl.dataset.rows import HTTP_URL
from oidl.errors import UsageError
from oidl.model import Extent, FileKind, Source

BUILT_IN = Path(__file__).with_name("catalogue.toml")

_NAME = r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}"  # one file or directory: no slash, and never "." or ".."
_MEMBER = rf"({_NAME}/|{{subset}}/)+{_NAME}"  # a path inside a tar
_Known: TypeAlias = dict[str, dict[str, Any]]  # fields of `PublishedFile`, by URL
_MIRROR = r"[a-z0-9][a-z0-9_-]{0,99}"  # it becomes part of the name of a directory
_HOSTS = r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*"  # one host, or all below a domain


def read_catalogue(path: Path | None) -> dict[str, Version]:
    """The versions by name, in the order of the file; None reads the built-in catalogue.

    Raises `UsageError`, which names the file and the key, if the file is not a valid catalogue.
    """
    file = path or BUILT_IN
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"the catalogue {file} cannot be read: {error.strerror}") from error
    except ValueError as error:  # not UTF-8, or not TOML
        raise UsageError(f"the catalogue {file} is not TOML: {error}") from error
    except RecursionError:
        raise UsageError(f"the catalogue {file} is not valid: its values are nested too deeply") from None
    top = _Table(file, "", content)
    base_url = top.text("base_url", HTTP_URL, "an http or https URL") if "base_url" in top.names() else ""
    providers = _providers(top.table("provider")) if "provider" in top.names() else {}
    mirrors = _mirrors(top.table("mirror")) if "mirror" in top.names() else {}
    licenses = _licenses(top.table("licenses")) if "licenses" in top.names() else None
    mean = top.count("mean_original_bytes") if "mean_original_bytes" in top.names() else None
    known = _known(top.table("published"), base_url) if "published" in top.names() else {}
    versions = top.table("version")
    top.close()
    catalogue = {
        name: replace(
            _version(name, versions.table(name), base_url, known),
            providers=providers,
            mirrors=mirrors,
            mean_original_bytes=mean,
            licenses=licenses,
        )
        for name in versions.names()
    }
    return catalogue or versions.refuse("lists no versions")


def built_in_mirrors() -> tuple[str, ...]:
    """The names of the mirrors in the catalogue that comes with the program; only its syntax is read, which is fast."""
    return tuple(tomllib.loads(BUILT_IN.read_text(encoding="utf-8"))["mirror"])


def find_version(catalogue: dict[str, Version], name: str | None) -> Version:
    """The version called `name`: "3", "v3" or "V3"; None for the latest. Raises `UsageError` if there is none."""
    if name is None:
        return next(reversed(catalogue.values()))
    for known in (name, name.lower().removeprefix("v")):
        if known in catalogue:
            return catalogue[known]
    raise UsageError(f"there is no dataset version {name!r}", hint=f"the catalogue has: {', '.join(catalogue)}")


def _version(name: str, table: "_Table", base_url: str, known: _Known) -> Version:
    if not re.fullmatch(_NAME, name):
        table.refuse("is not a plain name")
    subsets = table.texts("subsets", _NAME, "a list of different plain names")
    version = Version(
        name=name,
        title=table.text("title", r"[^\n]+", "one line of text"),
        directory=table.text("directory", _NAME, "the plain name of one directory"),
        subsets=subsets,
        files=tuple(file for entry in table.tables("files") for file in _files(entry, base_url, subsets, known)),
    )
    names = [file.name for file in version.files]
    if len(set(names)) < len(names):
        table.refuse("has two files with the same name")
    if not any(file.kind is FileKind.IMAGE_LIST for file in version.files):
        table.refuse("has no image list")
    table.close()
    return version


def _providers(table: "_Table") -> dict[str, str]:
    return {pattern: name for name in table.names() for pattern in table.texts(name, _HOSTS, "a list of host names")}


def _mirrors(table: "_Table") -> dict[str, Mirror]:
    mirrors = {}
    for name in table.names():
        if not re.fullmatch(_MIRROR, name) or not Source(name).is_mirror:
            table.refuse("must be a plain name in lower case that no other source has", name)
        entry = table.table(name)
        mirrors[name] = Mirror(
            url=entry.text("url", rf"(?=.*{{image_id}}){HTTP_URL}", "an http or https URL with {image_id} in it"),
            absent=frozenset(entry.counts("absent")),
            mean_bytes=entry.count("mean_bytes"),
            max_bytes=entry.count("max_bytes"),
        )
        entry.close()
    return mirrors


def _licenses(table: "_Table") -> LicenseServices:
    services = {
        name: table.text(name, rf"(?=.*{{{part}}}){HTTP_URL}", f"an http or https URL with {{{part}}} in it")
        for name, part in (("oembed", "page"), ("info", "photo"), ("history", "photo"), ("page", "photo"))
    }
    released = table.text("released", r"\d{4}-\d\d-\d\d", "a day like 2016-09-30")
    table.close()
    return LicenseServices(**services, released=released)


def _known(table: "_Table", base_url: str) -> _Known:
    """The known facts about files, by URL."""
    known = {}
    for name in table.names():
        entry = table.table(name)
        known[_full(name, base_url)] = _facts(entry)
        entry.close()
    return known


def _facts(table: "_Table") -> dict[str, Any]:
    """The facts in `table` about the content of a file: fields of `PublishedFile`."""
    facts: dict[str, Any] = {name: table.count(name) for name in ("bytes", "approx_bytes") if name in table.names()}
    for name, digits in (("md5", 32), ("sha256", 64)):
        if digest := table.optional(name, f"[0-9a-f]{{{digits}}}", f"{digits} lower-case hex digits"):
            facts[name] = digest
    if "images" in table.names():
        counts = table.table("images")
        facts["images"] = {subset: counts.count(subset) for subset in counts.names()}
    return facts


def _full(url: str, base_url: str) -> str:
    return url if re.match("(?i:https?)://", url) else base_url + url


def _files(table: "_Table", base_url: str, subsets: tuple[str, ...], known: _Known) -> Iterator[PublishedFile]:
    """The files of one entry: one or, with `shards`, one for each of these characters."""
    shards = table.optional("shards", "[0-9a-z]+", "characters to replace {shard} with") or [""]
    url = _full(table.text("url", r"\S+", "a URL"), base_url)
    if not re.fullmatch(HTTP_URL, url):
        table.refuse("must be an http or https URL, or relative to the base_url", "url")
    name = table.optional("name", _NAME, "the plain name of one file") or url.rpartition("/")[2]
    extent = table.optional("extent", "|".join(Extent), f"one of: {', '.join(Extent)}")
    file = PublishedFile(
        name=name,
        url=url,
        kind=FileKind(table.text("kind", "|".join(FileKind), f"one of: {', '.join(FileKind)}")),
        subset=table.optional("subset", "|".join(subsets), f"one of: {', '.join(subsets)}"),
        extent=Extent(extent) if extent else None,
        member=table.optional("member", _MEMBER, "a path inside the archive"),
        is_optional=table.flag("optional"),
        **_facts(table),
    )
    table.close()
    for shard in shards:
        name, url = (text.replace("{shard}", shard) for text in (file.name, file.url))
        if not re.fullmatch(_NAME, name):
            table.refuse("must end in the plain name of one file", "url")
        yield replace(file, name=name, url=url, **known.get(url, {}))


class _Table:
    """A TOML table while it is read: it knows its position in the file, and which of its keys are still unread."""

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
            self.refuse("is not a key of a catalogue", name)

    def text(self, name: str, pattern: str, what: str) -> str:
        value = self._take(name)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            self.refuse(f"must be {what}", name)
        return value

    def optional(self, name: str, pattern: str, what: str) -> str | None:
        return self.text(name, pattern, what) if name in self._content else None

    def flag(self, name: str) -> bool:
        value = self._content.pop(name, False)
        if not isinstance(value, bool):
            self.refuse("must be true or false", name)
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

    def counts(self, name: str) -> tuple[int, ...]:
        values = self._take(name)
        if not isinstance(values, list) or not values or not all(type(value) is int and value > 0 for value in values):
            self.refuse("must be a list of positive whole numbers", name)
        return tuple(values)

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
