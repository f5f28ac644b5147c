"""The user's own image list on disk, and the hash that detects a change."""

import hashlib
import io
import os
from pathlib import Path

from oidl.dataset.streams import CHUNK_BYTES, heed_cancellation, translating_archive_errors
from oidl.errors import MetadataError, UsageError
from oidl.model import ListFile


class HashedFile(io.RawIOBase):
    """The file at `path`, read once from beginning to end; `identity` then identifies its content."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._sha256 = hashlib.sha256()  # faster than MD5, because processors have SHA instructions

    def readable(self) -> bool:
        """True: this is a stream to read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes, b"" at the end; checks for cancellation."""
        heed_cancellation()
        chunk = self._file.read(size)
        self._sha256.update(chunk)
        return chunk

    @property
    def identity(self) -> ListFile:
        """Reads the rest, and returns what distinguishes the content from any other."""
        while self.read(CHUNK_BYTES):
            pass
        stat = os.fstat(self._file.fileno())
        return ListFile(stat.st_size, stat.st_mtime, self._sha256.hexdigest())

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
        super().close()


def open_local_list(path: Path) -> HashedFile:
    """The image list at `path`, open for `read_list`; the caller closes it.

    Raises `UsageError` if there is no such file, `MetadataError` if it cannot be read.
    """
    if path.is_dir():
        raise UsageError(f"the image list {path} is a directory", hint="use the CSV file or archive in it")
    try:
        return HashedFile(path)
    except FileNotFoundError as error:
        raise UsageError(f"there is no image list {path}") from error
    except OSError as error:
        raise MetadataError(f"the image list {path} cannot be read: {error.strerror}") from error


def identify(path: Path) -> ListFile:
    """The identity of the list at `path`. Checks for cancellation. Raises like `open_local_list`."""
    with open_local_list(path) as file, translating_archive_errors(str(path)):
        return file.identity
