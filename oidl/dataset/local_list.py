"""The user's own image list on disk, and the hash by which a changed one is noticed."""

import hashlib
import io
import os
from pathlib import Path

from oidl.dataset.streams import CHUNK_BYTES, heed_cancellation, translating_archive_errors
from oidl.errors import MetadataError, UsageError
from oidl.model import ListFile


class HashedFile(io.RawIOBase):
    """The file at `path`, read once from its begin to its end; by then it is known by `identity`."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._sha256 = hashlib.sha256()  # with the SHA instructions of processors, faster than MD5

    def readable(self) -> bool:
        """True: this is a stream to read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes, b"" at the end; heeds cancellation."""
        heed_cancellation()
        chunk = self._file.read(size)
        self._sha256.update(chunk)
        return chunk

    @property
    def identity(self) -> ListFile:
        """What tells the content, once all is read, from another."""
        while self.read(CHUNK_BYTES):
            pass
        found = os.fstat(self._file.fileno())
        return ListFile(found.st_size, found.st_mtime, self._sha256.hexdigest())

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
        super().close()


def open_local_list(path: Path) -> HashedFile:
    """The image list at `path`, to be given to `read_list` and closed.

    Raises `UsageError` if there is no such file, `MetadataError` if it may not be read.
    """
    if path.is_dir():
        raise UsageError(f"the image list {path} is a directory", hint="give the CSV file or archive in it")
    try:
        return HashedFile(path)
    except FileNotFoundError as error:
        raise UsageError(f"there is no image list {path}") from error
    except OSError as error:
        raise MetadataError(f"the image list {path} cannot be read: {error.strerror}") from error


def identify(path: Path) -> ListFile:
    """What the list at `path` is known by. Heeds cancellation. Raises as `open_local_list` does."""
    with open_local_list(path) as file, translating_archive_errors(str(path)):
        return file.identity
