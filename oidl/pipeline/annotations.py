"""Loads annotations from their files into the database, for all images, those of the list or the selected ones.

A file is fetched to disk and read from there, so only verified rows go into the database. Each file is loaded in one
transaction, so a run that is stopped here has loaded all of a file or nothing.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import trio

from oidl.dataset.annotations import Filter
from oidl.dataset.published import PublishedFile
from oidl.dataset.rows import ReadReport
from oidl.dataset.sections import TableRows, read_parts
from oidl.errors import MetadataError
from oidl.model import CLASS_FILES, FileKind
from oidl.pipeline.annotation_requirements import NOT_LOADED, RequiredFiles, annotation_files, required_files
from oidl.pipeline.context import Context
from oidl.pipeline.metadata import MetadataFetcher
from oidl.pipeline.selection import select_from_settings
from oidl.progress.in_flight import FileProgress
from oidl.state.annotations import (
    EVERY_IMAGE,
    OWN,
    Added,
    AnnotationFile,
    among_done,
    among_rows_of,
    done_images,
    is_loaded,
    listed_images,
    load_file,
)
from oidl.state.classes import check_names
from oidl.state.connection import interruptible
from oidl.state.load import loaded_subsets
from oidl.state.selection import describe, drop_selection
from oidl.state.times import file_timestamp
from oidl.state.translate import translating_sqlite_errors
from oidl.text import counted

_READABLE = (".csv", ".gz", ".txt", ".json", ".tgz", ".tar")


@dataclass(frozen=True, slots=True)
class _Images:
    """The images that annotations are loaded for: their description, a filter for their rows, and wider descriptions.

    A file that is loaded for one of the `wider` descriptions is loaded for these images too.
    """

    description: str
    keep: Filter | None
    wider: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AnnotationRequest:
    """What to load: the published files that the settings request or, instead, the user's own `files`.

    With `for_every_image`, rows of every image are loaded, otherwise those of listed or selected images. With
    `is_explicit`, the user requested annotations explicitly, so files that are already loaded are reported.
    """

    files: tuple[Path, ...] = ()
    for_every_image: bool = False
    is_explicit: bool = False


class AnnotationLoader:
    """Loads annotation files into the database according to `request`."""

    def __init__(self, context: Context, metadata: MetadataFetcher, request: AnnotationRequest) -> None:
        self._context = context
        self._settings = context.settings
        self._version = context.version
        self._state = context.state
        self._say = context.say
        self._metadata = metadata
        self._request = request

    async def load_classes(self) -> None:
        """Loads the class files that are needed to select images. Raises `UsageError` for an unknown class.

        Called before anything large is fetched, because a name may be misspelt.
        """
        for file in (await self._required()).files:
            if file.kind in CLASS_FILES:
                await self._load(file, EVERY_IMAGE, None)
        selection = self._settings.selection
        check = partial(check_names, include_subclasses=selection.include_subclasses)
        await self._state.run(check, self._state.db, selection.classes)

    async def load_for_selection(self) -> None:
        """Loads the files that are needed to select images, for the images of the list."""
        images, keep = await self._state.run(self._of_the_list)
        required = await self._required()
        if required.overridden:
            own, published = ", ".join(required.overriding), ", ".join(required.overridden)
            self._say(f"selecting images by your own {own}, not by the published {published}")
        for file in required.files:
            await self._load(file, images, keep)

    async def load_requested(self) -> list[MetadataError]:
        """Loads the requested files for the selected images, or for all listed ones if only subsets are selected.

        Returns the errors of files that could not be fetched. Raises `MetadataError` for one of the user's own files.
        """
        if self._request.for_every_image:
            return await self._load_all(await self._state.run(self._target_images, None))
        selection = self._settings.selection
        if selection.limit and not self._request.files:
            return await self.load_for_done()
        try:
            selected = await self._state.run(select_from_settings, self._state.db, selection)
            if selected and selected.remark and self._request.is_explicit:
                self._say(selected.remark)
            description = await self._state.run(describe, self._state.db, selection) if selected else None
            return await self._load_all(await self._state.run(self._target_images, description))
        finally:
            with trio.CancelScope(shield=True):
                await self._state.run(drop_selection, self._state.db)

    async def load_for_list(self) -> list[MetadataError]:
        """The same for all images of the list: before it is known which of them a run will get."""
        return await self._load_all(await self._state.run(self._target_images, None))

    async def load_for_done(self) -> list[MetadataError]:
        """The same for the images that are done; under a limit they are known only after the images."""
        return await self._load_all(await self._state.run(self._done_images))

    async def _load_all(self, images: _Images) -> list[MetadataError]:
        errors = []
        overridden = await self._state.run(self._overridden)
        files = {
            file: source
            for file, source in self._requested(images.description).items()
            if file.kind not in overridden or file.kind in self._settings.annotations
        }
        loaded = [file for file in files if await self._state.run(is_loaded, self._state.db, file, *images.wider)]
        if loaded and self._request.is_explicit:
            self._say(_already(loaded))
        for file, source in files.items():
            if file in loaded:
                continue
            if isinstance(source, Path):
                await self._read(file, str(source), (source,), images.keep)
                continue
            try:
                await self._load(source, images.description, images.keep)
            except MetadataError as error:
                self._say(str(error))
                errors.append(error)
        return errors

    def already_loaded(self) -> str:
        """The message if everything that the settings request is loaded already.

        It is empty if something is missing, or if only a selection of images could tell.
        """
        files = list(self._requested(self._target_images(None).description))
        return _already(files) if files and all(is_loaded(self._state.db, file) for file in files) else ""

    def _target_images(self, description: str | None) -> _Images:
        """The images to load annotations for; `description` is of the selected ones, None without a selection."""
        if self._request.for_every_image:
            return _Images(EVERY_IMAGE, None)
        images, keep = self._of_the_list()
        if description:
            return _Images(description, among_rows_of(self._state.db, "temp.selected"), (images,))
        return _Images(images, keep)

    async def _required(self) -> RequiredFiles:
        return await self._state.run(required_files, self._state.db, self._version, self._settings.selection)

    def _done_images(self) -> _Images:
        images, _ = self._of_the_list()
        return _Images(done_images(self._state.db), among_done(self._state.db), (images,))

    def _overridden(self) -> tuple[FileKind, ...]:
        """The kinds that the user's own files replace."""
        return required_files(self._state.db, self._version, self._settings.selection).overridden

    def _requested(self, images: str) -> dict[AnnotationFile, PublishedFile | Path]:
        """The files to load, each with its source: the user's own files, or published ones."""
        if own := self._request.files:
            return {self._named(path, images): path for path in own}
        return {
            AnnotationFile(self._version.recorded_name(file), file.kind, images): file
            for file in annotation_files(self._settings, self._version)
            if file.kind not in NOT_LOADED
        }

    def _named(self, path: Path, images: str) -> AnnotationFile:
        """A file given by the user: the published one of that name, or one of their own."""
        modified_at = _modified_at(path)
        for file in self._version.files:
            if file.name == path.name and file.kind not in NOT_LOADED:
                return AnnotationFile(self._version.recorded_name(file), file.kind, images, modified_at)
        return AnnotationFile(str(path), OWN, images, modified_at)

    def _of_the_list(self) -> tuple[str, Filter | None]:
        subsets = loaded_subsets(self._state.db)
        return listed_images(subsets), among_rows_of(self._state.db, "download")

    async def _load(self, published: PublishedFile, images: str, keep: Filter | None) -> None:
        file = AnnotationFile(self._version.recorded_name(published), published.kind, images)
        installed = await self._metadata.ensure_on_disk(published)
        # An archive may contain other files; a single file is the published one, whatever its name.
        paths = installed if len(installed) == 1 else tuple(path for path in installed if path.suffix in _READABLE)
        if not paths:
            raise MetadataError(f"there is no list of annotations in {file.name}", hint="choose another --catalogue")
        await self._read(file, file.name, paths, keep)

    async def _read(self, file: AnnotationFile, name: str, paths: tuple[Path, ...], keep: Filter | None) -> None:
        """Loads all of one file, which is shown to the user as `name`."""
        self._metadata.begin_writing()
        self._say(f"loading {name} into the database")
        skipped = ReadReport(report=self._context.say_from_thread)
        with self._context.meter.reading(name) as reading:
            reading.count_rows = lambda: skipped.rows
            added = await self._state.run(self._load_rows, file, paths, keep, skipped, reading)
        known = f", {added.rows - added.new:,} of them known already" if added.new < added.rows else ""
        bad = f"; {skipped.bad:,} of {counted(skipped.rows, 'row')} bad and skipped" if skipped.bad else ""
        gone = f"; they replace {counted(added.gone, 'row')} from before the file changed" if added.gone else ""
        self._say(f"{counted(added.rows, 'row')} of {name}{known}{bad}{gone}")

    def _load_rows(
        self,
        file: AnnotationFile,
        paths: tuple[Path, ...],
        keep: Filter | None,
        skipped: ReadReport,
        reading: FileProgress,
    ) -> Added:
        """Loads the rows of one file; runs in a thread."""
        db = self._state.db
        kind = file.kind if isinstance(file.kind, FileKind) and len(paths) == 1 else None

        def read_all() -> Generator[TableRows, None, None]:
            for path in paths:
                with closing(read_parts(path, skipped, keep, kind)) as parts:
                    yield from _reporting(parts, reading)

        with (
            translating_sqlite_errors(db.path),
            interruptible(db, trio.from_thread.check_cancelled),
            closing(read_all()) as parts,
        ):
            return load_file(db, file, parts, lambda: skipped.bad)


def _modified_at(path: Path) -> str | None:
    try:
        return file_timestamp(path.stat().st_mtime)
    except OSError:
        return None  # if it cannot be read either, the reader raises the error


def _already(files: Iterable[AnnotationFile]) -> str:
    return f"already loaded: {', '.join(file.name for file in files)}"


def _reporting(parts: Iterator[TableRows], reading: FileProgress) -> Iterator[TableRows]:
    """The same parts; reports to `reading` when all rows of a part are read and only the index is left."""
    for table, columns, batches in parts:
        reading.is_indexing = False
        yield table, columns, chain(batches, reading.mark_indexing())
