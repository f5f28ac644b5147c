"""The `.part` file: what has arrived of a big file, on disk, and what is known of it.

Beside the part stands a note of the URL (its hash) and of the validator (ETag, or else
Last-Modified) that it came with; a part without that note is not built upon.
Everything here is sync: whoever transfers runs it in a thread.
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
    """A block in which an `OSError` is a `DiskError` about `path`."""
    try:
        yield
    except OSError as error:
        raise disk_error(path, error) from error


def discard(part: Path) -> None:
    """Removes a part and the note beside it, where they are there."""
    with writing(part):
        part.unlink(missing_ok=True)
        _note(part).unlink(missing_ok=True)


@dataclass(slots=True)
class Part:
    """The part file: how much of it counts, and the validator it came with ("" for none)."""

    path: Path
    url: str
    size: int = 0
    validator: str = ""

    @classmethod
    def found(cls, path: Path, url: str) -> "Part":
        """What an earlier run left, or an empty part if that cannot be gone on with."""
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
            # Emptied before the note is written: at no instant does a note stand beside another file's bytes.
            self.path.write_bytes(b"")
            if validator:
                _note(self.path).write_text(json.dumps({"url_sha256": _hashed(self.url), "validator": validator}))
            else:
                _note(self.path).unlink(missing_ok=True)
        self.size, self.validator = 0, validator

    def append(self, data: bytes) -> None:
        """Adds what has arrived."""
        with writing(self.path), self.path.open("ab") as file:
            file.write(data)
        self.size += len(data)

    def read(self, offset: int, most: int = _READ_BYTES) -> bytes:
        """At `most` so many bytes of it, from `offset` on; b"" at its end."""
        with writing(self.path), self.path.open("rb") as file:
            file.seek(offset)
            return file.read(min(most, max(0, self.size - offset)))


def _hashed(url: str) -> str:
    """What stands for a URL on disk: there may be a password in it, or a signature."""
    return hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")
