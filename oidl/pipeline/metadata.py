"""Brings the files that a version publishes beside its image lists to disk: annotations and lists of classes.

Each is fetched once: a file that has its row is not asked for again. Archives are unpacked while they arrive, and
nothing that does not have the published size and MD5 is ever moved into place.
"""

from functools import partial
from pathlib import Path

from oidl.dataset.archive import discard_part
from oidl.dataset.classes import class_list
from oidl.dataset.published import PublishedFile
from oidl.dataset.unpack import unpack
from oidl.errors import MetadataError
from oidl.model import FileKind
from oidl.pipeline.annotation_requirements import NOT_LOADED, annotation_files, required_files
from oidl.pipeline.archives import ArchiveFetcher
from oidl.pipeline.context import Context

UNPACKING = ".oidl-unpacking"


class MetadataFetcher:
    """Fetches annotation files and lists of classes, and puts them in place."""

    def __init__(self, context: Context, archives: ArchiveFetcher) -> None:
        self._settings = context.settings
        self._version = context.version
        self._state = context.state
        self._meter = context.meter
        self._say = context.say
        self._archives = archives
        self.begin_writing = archives.begin_writing

    async def fetch(self) -> list[MetadataError]:
        """Fetches the version's other files and puts them in place; returns what could not be had.

        A file that was removed is fetched again if nothing of it is in the database. One that a file of the
        user's own stands for is left alone.
        """
        errors = []
        settings = self._settings
        needed = await self._state.run(required_files, self._state.db, self._version, settings.selection)
        for file in annotation_files(settings, self._version):
            if file.kind in needed.replaced and file.kind not in settings.annotations:
                continue
            is_fetched = await self._archives.is_fetched(file)
            if is_fetched and not (file.kind in NOT_LOADED and self._is_gone(file)):
                discard_part(file, settings.root_dir)
                continue
            try:
                await self._install(file)
            except MetadataError as error:
                self._say(str(error))
                errors.append(error)
        return errors

    async def ensure_on_disk(self, file: PublishedFile) -> tuple[Path, ...]:
        """Where a file, or what was in it, stands; it is fetched first if it does not. Raises `MetadataError`."""
        if await self._archives.is_fetched(file):
            installed = self._installed_paths(file)
            if installed and all(path.is_file() for path in installed):
                return installed
        return await self._install(file)

    async def _install(self, file: PublishedFile) -> tuple[Path, ...]:
        """Unpacks an archive while it arrives; another file is only moved. Returns what it is now."""
        self._archives.begin_writing()
        root = self._settings.root_dir
        with self._meter.reading(file.name, file.expected_bytes) as reading:
            if place := self._target_path(file):
                await self._archives.fetch(file, reading, lambda stream: None, place)
                self._say(f"fetched {self._version.recorded_name(file)}")
                return (place,)
            staging = root / UNPACKING / file.name
            unpacked = partial(unpack, staging=staging, destination=root, name=file.name)
            paths = await self._archives.fetch(file, reading, unpacked)
            self._say(f"unpacked {file.name}")
            return paths

    def _is_gone(self, file: PublishedFile) -> bool:
        """Whether the file is known to be no longer on the disk."""
        place = self._target_path(file)
        return place is not None and not place.exists()

    def _installed_paths(self, file: PublishedFile) -> tuple[Path, ...]:
        """Where an earlier run put the file; nothing for an archive of which that is not known."""
        root = self._settings.root_dir
        if place := self._target_path(file):
            return (place,)
        if file.member and "{subset}" in file.member:
            places = (self._version.place_of(file, subset) for subset in self._version.subsets)
            return tuple(root / place for place in places if place)
        if file.member and (directory := (root / file.member).parent).is_dir():  # lists of classes, side by side
            return tuple(sorted(path for path in directory.iterdir() if class_list(path.name)))
        return ()

    def _target_path(self, file: PublishedFile) -> Path | None:
        place = None if file.is_tar or file.kind is FileKind.IMAGE_LIST else self._version.place_of(file)
        return self._settings.root_dir / place if place else None
