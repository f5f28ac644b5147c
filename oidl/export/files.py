"""Image files in an export: symbolic links to those of the root, hard links, or copies.

A symbolic link is relative, so an export in the root can be moved with the root. Hard links and copies can be moved
anywhere. An image in a shard becomes a copy in any case.
"""

import errno
import os
import shutil
from enum import StrEnum
from pathlib import Path

from oidl.errors import UsageError
from oidl.export.remote import RemoteImages
from oidl.storage.shards.place import place_of, read_recorded

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class ImageFiles(StrEnum):
    """How the image files of an export are created."""

    LINK = "link"
    HARDLINK = "hardlink"
    COPY = "copy"


class ImageDirectory:
    """The image files of an export while it is written in `directory`, before it is moved to `dest`.

    `root_dir` is the root that contains the files of the database. `from_shards` counts the images from shards;
    `remote` knows those in shards that are not there.
    """

    def __init__(self, how: ImageFiles, root_dir: Path, directory: Path, dest: Path, remote: RemoteImages) -> None:
        self.remote = remote
        self._how = how
        self._root_dir = Path(os.path.realpath(root_dir))
        self._directory = directory
        self._dest = Path(os.path.realpath(dest))
        self._directories: set[Path] = set()
        self.from_shards = 0

    def add(self, recorded: str, size_bytes: int, name: str) -> bool:
        """Adds the image at `recorded` (a `file.path`) to the export as `name`; False if there is no such file.

        Raises `UsageError` if the filesystem does not support such links.
        """
        source, path = self._root_dir / recorded, self._directory / name
        if path.parent not in self._directories:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._directories.add(path.parent)
        try:
            if place_of(recorded):
                return self._extract(recorded, size_bytes, path)
            self._put(source, path, name)
        except FileNotFoundError:
            return False
        except OSError as error:
            if self._how is ImageFiles.HARDLINK and error.errno == errno.EXDEV:
                message = f"--hardlink: {source} and {self._dest} are on different filesystems"
            elif self._how is not ImageFiles.COPY and error.errno in _NO_LINKS:
                message = f"the filesystem of {self._dest} cannot link to {source}: {error.strerror}"
            else:
                raise
            raise UsageError(message, hint="use --copy") from error
        return True

    def _extract(self, recorded: str, size_bytes: int, path: Path) -> bool:
        """Writes an image of a shard; False if the shard ends before."""
        body = read_recorded(self._root_dir, recorded, size_bytes)
        if len(body) != size_bytes:
            return False
        path.write_bytes(body)
        self.from_shards += 1
        return True

    def _put(self, source: Path, path: Path, name: str) -> None:
        match self._how:
            case ImageFiles.LINK:
                os.stat(source)
                os.symlink(os.path.relpath(source, (self._dest / name).parent), path)
            case ImageFiles.HARDLINK:
                os.link(source, path)
            case ImageFiles.COPY:
                shutil.copyfile(source, path)
