"""Brings annotations from their files into the database, for all images, those of the list or the chosen ones.

A file is fetched to disk as ever, and read from there: what is in the database was
verified before. Each is loaded in one transaction, so a run that is stopped here has all of a file or nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import trio

from oidl.dataset.annotations import Filter
from oidl.dataset.published import PublishedFile
from oidl.dataset.rows import ReadReport
from oidl.dataset.sections import TableRows, read_parts
from oidl.errors import MetadataError
from oidl.model import FileKind
from oidl.pipeline.annotation_requirements import NOT_LOADED, annotation_files, required_files
from oidl.pipeline.context import Context
from oidl.pipeline.metadata import MetadataFetcher
from oidl.pipeline.selection import select_from_settings
from oidl.progress.meter import FileProgress
from oidl.state.annotations import (
    EVERY_IMAGE,
    OWN,
    Added,
    AnnotationFile,
    among_done,
    done_images,
    is_loaded,
    listed,
    listed_images,
    load_file,
)
from oidl.state.connection import interruptible
from oidl.state.load import loaded_subsets
from oidl.state.selection import forget, words
from oidl.state.times import file_timestamp
from oidl.state.translate import translating_sqlite_errors
from oidl.text import counted

_READABLE = (".csv", ".gz", ".txt", ".json", ".tgz", ".tar")


@dataclass(frozen=True, slots=True)
class _Images:
    """Images that annotations are loaded for: `words` for them, what keeps theirs, and words for what has them all."""

    words: str
    keep: Filter | None
    wider: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AnnotationRequest:
    """What to load: the published files that the settings ask for or, instead, `files` of the user's own.

    Of every image with `for_every_image`, otherwise of those that are listed or selected. With `is_explicit`, the user
    asked for annotations in so many words, and is told what is loaded already.
    """

    files: tuple[Path, ...] = ()
    for_every_image: bool = False
    is_explicit: bool = False


class AnnotationLoader:
    """Loads annotation files into the database, as `request` says."""

    def __init__(self, context: Context, metadata: MetadataFetcher, request: AnnotationRequest) -> None:
        self._context = context
        self._settings = context.settings
        self._version = context.version
        self._state = context.state
        self._say = context.say
        self._metadata = metadata
        self._request = request

    async def load_for_choice(self) -> None:
        """Loads, for the images of the list, what the choice of classes and the like is made by."""
        images, keep = await self._state.run(self._of_the_list)
        needed = await self._state.run(required_files, self._state.db, self._version, self._settings.selection)
        if needed.replaced:
            self._say(f"chosen by your own {', '.join(needed.by)}, not by the published {', '.join(needed.replaced)}")
        for file in needed.files:
            await self._load(file, images, keep)

    async def load_asked_for(self) -> list[MetadataError]:
        """Loads what is asked for, for the images that are selected, where that is more than subsets, or listed.

        Returns what could not be had. Raises `MetadataError` for a file that the user named.
        """
        if self._request.for_every_image:
            return await self._load_all(await self._state.run(self._asked_images, None))
        selection = self._settings.selection
        if selection.limit and not self._request.files:
            return await self.load_for_done()
        try:
            chosen = await self._state.run(select_from_settings, self._state.db, selection)
            if chosen and chosen.remark and self._request.is_explicit:
                self._say(chosen.remark)
            which = await self._state.run(words, self._state.db, selection) if chosen else None
            return await self._load_all(await self._state.run(self._asked_images, which))
        finally:
            with trio.CancelScope(shield=True):
                await self._state.run(forget, self._state.db)

    async def load_for_done(self) -> list[MetadataError]:
        """The same for the images that are done: with a limit it is not known before which those are."""
        return await self._load_all(await self._state.run(self._done_images))

    async def _load_all(self, of: _Images) -> list[MetadataError]:
        errors = []
        replaced = await self._state.run(self._replaced)
        files = {
            file: source
            for file, source in self._asked_for(of.words).items()
            if file.kind not in replaced or file.kind in self._settings.annotations
        }
        loaded = [file for file in files if await self._state.run(is_loaded, self._state.db, file, *of.wider)]
        if loaded and self._request.is_explicit:
            self._say(_already(loaded))
        for file, source in files.items():
            if file in loaded:
                continue
            if isinstance(source, Path):
                await self._read(file, str(source), (source,), of.keep)
                continue
            try:
                await self._load(source, of.words, of.keep)
            except MetadataError as error:
                self._say(str(error))
                errors.append(error)
        return errors

    def already_loaded(self) -> str:
        """What to say where there is nothing to load, of all that the settings ask for.

        Empty where there is, and where it would take a choice of images to tell.
        """
        files = list(self._asked_for(self._asked_images(None).words))
        return _already(files) if files and all(is_loaded(self._state.db, file) for file in files) else ""

    def _asked_images(self, chosen: str | None) -> _Images:
        """The images that annotations are asked for."""
        if self._request.for_every_image:
            return _Images(EVERY_IMAGE, None)
        images, keep = self._of_the_list()
        return _Images(chosen, listed(self._state.db, "temp.chosen"), (images,)) if chosen else _Images(images, keep)

    def _done_images(self) -> _Images:
        images, _ = self._of_the_list()
        return _Images(done_images(self._state.db), among_done(self._state.db), (images,))

    def _replaced(self) -> tuple[FileKind, ...]:
        """The kinds that files of the user's own stand for."""
        return required_files(self._state.db, self._version, self._settings.selection).replaced

    def _asked_for(self, images: str) -> dict[AnnotationFile, PublishedFile | Path]:
        """What is to be loaded, and from what: the files that were named, or published ones."""
        if own := self._request.files:
            return {self._named(path, images): path for path in own}
        return {
            AnnotationFile(self._version.recorded_name(file), file.kind, images): file
            for file in annotation_files(self._settings, self._version)
            if file.kind not in NOT_LOADED
        }

    def _named(self, path: Path, images: str) -> AnnotationFile:
        """A file that the user named: the published one of that name, or one of their own."""
        modified_at = _modified_at(path)
        for file in self._version.files:
            if file.name == path.name and file.kind not in NOT_LOADED:
                return AnnotationFile(self._version.recorded_name(file), file.kind, images, modified_at)
        return AnnotationFile(str(path), OWN, images, modified_at)

    def _of_the_list(self) -> tuple[str, Filter | None]:
        subsets = loaded_subsets(self._state.db)
        return listed_images(subsets), listed(self._state.db, "download")

    async def _load(self, published: PublishedFile, images: str, keep: Filter | None) -> None:
        file = AnnotationFile(self._version.recorded_name(published), published.kind, images)
        there = await self._metadata.ensure_on_disk(published)
        # In an archive there may be others; a file that is by itself is what it was fetched as, whatever its name.
        paths = there if len(there) == 1 else tuple(path for path in there if path.suffix in _READABLE)
        if not paths:
            raise MetadataError(f"there is no list of annotations in {file.name}", hint="name another --catalogue")
        await self._read(file, file.name, paths, keep)

    async def _read(self, file: AnnotationFile, name: str, paths: tuple[Path, ...], keep: Filter | None) -> None:
        """Loads all of one file, which people know by `name`."""
        self._metadata.begin_writing()
        self._say(f"loading {name} into the database")
        skipped = ReadReport(report=self._context.say_from_thread)
        with self._context.meter.reading(name) as reading:
            reading.count_rows = lambda: skipped.rows
            added = await self._state.run(self._load_rows, file, paths, keep, skipped, reading)
        there = f", {added.rows - added.new:,} of them there already" if added.new < added.rows else ""
        bad = f"; {skipped.bad:,} of {counted(skipped.rows, 'row')} bad and skipped" if skipped.bad else ""
        gone = f"; they replace {counted(added.gone, 'row')} from before the file changed" if added.gone else ""
        self._say(f"{counted(added.rows, 'row')} of {name}{there}{bad}{gone}")

    def _load_rows(
        self,
        file: AnnotationFile,
        paths: tuple[Path, ...],
        keep: Filter | None,
        skipped: ReadReport,
        reading: FileProgress,
    ) -> Added:
        """In a thread."""
        db = self._state.db
        kind = file.kind if isinstance(file.kind, FileKind) and len(paths) == 1 else None
        parts = (part for path in paths for part in _told(read_parts(path, skipped, keep, kind), reading))
        with translating_sqlite_errors(db.path), interruptible(db, trio.from_thread.check_cancelled):
            return load_file(db, file, parts, lambda: skipped.bad)


def _modified_at(path: Path) -> str | None:
    try:
        return file_timestamp(path.stat().st_mtime)
    except OSError:
        return None  # if it cannot be read either, the reader will say so


def _already(files: Iterable[AnnotationFile]) -> str:
    return f"already loaded: {', '.join(file.name for file in files)}"


def _told(parts: Iterator[TableRows], reading: FileProgress) -> Iterator[TableRows]:
    """The same parts; `reading` is told when the rows of each are in."""
    for table, columns, batches in parts:
        reading.is_indexing = False
        yield table, columns, chain(batches, reading.mark_indexing())
