"""Fetches the files that a version publishes in addition to its image lists: annotations and lists of classes.

Each is fetched once: a file that has a row is not requested again. Archives are unpacked while they arrive, and
a file is moved into place only if it has the published size and MD5.
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
        self._unpacked: dict[PublishedFile, tuple[Path, ...]] = {}
        self.begin_writing = archives.begin_writing

    async def fetch(self) -> list[MetadataError]:
        """Fetches the version's other files and puts them in place; returns the errors of those that failed.

        If a file was removed from the disk, it is fetched again only if its contents are not in the database. A file
        that the user's own files replace is not fetched.
        """
        errors = []
        settings = self._settings
        required = await self._state.run(required_files, self._state.db, self._version, settings.selection)
        for file in annotation_files(settings, self._version):
            if file.kind in required.overridden and file.kind not in settings.annotations:
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
        """The paths of a file, or of its contents, which is fetched first if necessary. Raises `MetadataError`."""
        if await self._archives.is_fetched(file) and (paths := self._paths_on_disk(file)):
            return paths
        await self._install(file)
        return self._paths_on_disk(file)

    async def _install(self, file: PublishedFile) -> None:
        """Fetches a file, and unpacks an archive while it arrives."""
        self._archives.begin_writing()
        root = self._settings.root_dir
        with self._meter.reading(file.name, file.expected_bytes) as reading:
            if place := self._target_path(file):
                await self._archives.fetch(file, reading, lambda stream: None, place)
                self._say(f"fetched {self._version.recorded_name(file)}")
                return
            staging = root / UNPACKING / file.name
            unpacked = partial(unpack, staging=staging, destination=root, name=file.name)
            paths = await self._archives.fetch(file, reading, unpacked)
            replaced = set(paths)  # another archive may have had files of the same names
            others = {each: kept for each, kept in self._unpacked.items() if replaced.isdisjoint(kept)}
            self._unpacked = {**others, file: paths}
            self._say(f"unpacked {file.name}")

    def _is_gone(self, file: PublishedFile) -> bool:
        """Whether the file is certainly no longer on the disk."""
        place = self._target_path(file)
        return place is not None and not place.exists()

    def _paths_on_disk(self, file: PublishedFile) -> tuple[Path, ...]:
        """The paths of the file, or of its contents; empty if they are unknown or not all there.

        Those that the catalogue names (`member`) come first: the archive may have other files in it.
        """
        for paths in (self._named_paths(file), self._unpacked.get(file, ())):
            if paths and all(path.is_file() for path in paths):
                return paths
        return ()

    def _named_paths(self, file: PublishedFile) -> tuple[Path, ...]:
        """The paths that the catalogue gives the file; empty for an archive whose paths it does not name."""
        root = self._settings.root_dir
        places = dict.fromkeys(self._version.place_of(file, subset) for subset in self._version.subsets)
        paths = tuple(root / place for place in places if place)
        if paths and file.is_tar and file.kind is FileKind.CLASSES and (directory := paths[0].parent).is_dir():
            # It has several lists beside the one that is named.
            return tuple(sorted(path for path in directory.iterdir() if class_list(path.name))) or paths
        return paths

    def _target_path(self, file: PublishedFile) -> Path | None:
        place = None if file.is_tar or file.kind is FileKind.IMAGE_LIST else self._version.place_of(file)
        return self._settings.root_dir / place if place else None
