"""The `.part` file: the bytes of a big file that have arrived, and their origin.

A note next to the part records the URL (its hash) and the validator (ETag, otherwise
Last-Modified) of the bytes; a part without a note is not resumed.
Everything here is synchronous; `resume` runs it in a thread.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from oidl.errors import disk_error

_READ_BYTES = 256 * 1024


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """A block in which an `OSError` becomes a `DiskError` about `path`."""
    try:
        yield
    except OSError as error:
        raise disk_error(path, error) from error


def discard(part: Path) -> None:
    """Removes a part and its note, if they exist."""
    with writing(part):
        part.unlink(missing_ok=True)
        _note(part).unlink(missing_ok=True)


@dataclass(slots=True)
class PartFile:
    """A part file: the length of its valid bytes, and the validator of the file they belong to ("" for none)."""

    path: Path
    url: str
    size: int = 0
    validator: str = ""

    @classmethod
    def load(cls, path: Path, url: str) -> "PartFile":
        """The part that an earlier run left, or an empty one if that cannot be resumed."""
        try:
            note = json.loads(_note(path).read_bytes())
            if note["url_sha256"] == _hashed(url):
                return cls(path, url, path.stat().st_size, str(note["validator"]))
        except (OSError, ValueError, LookupError, TypeError):
            pass  # no note, or one cut short by a crash
        return cls(path, url)

    def restart(self, validator: str) -> None:
        """Empties it, for a file with this validator."""
        with writing(self.path):
            # Empty it before writing the note, so that a note is never next to the bytes of another file.
            self.path.write_bytes(b"")
            if validator:
                _note(self.path).write_text(json.dumps({"url_sha256": _hashed(self.url), "validator": validator}))
            else:
                _note(self.path).unlink(missing_ok=True)
        self.size, self.validator = 0, validator

    def append(self, data: bytes) -> None:
        """Appends bytes that have arrived."""
        with writing(self.path), self.path.open("ab") as file:
            file.write(data)
        self.size += len(data)

    def read(self, offset: int, most: int = _READ_BYTES) -> bytes:
        """The bytes from `offset` on, at most `most` of them; b"" at the end."""
        with writing(self.path), self.path.open("rb") as file:
            file.seek(offset)
            return file.read(min(most, max(0, self.size - offset)))


def _hashed(url: str) -> str:
    """The hash that represents a URL on disk, because a URL may contain a password or a signature."""
    return hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")
