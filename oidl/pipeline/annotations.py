"""Brings annotations from their files into the database, for all images, those of the list or the chosen ones.

A file is fetched to disk as ever, and read from there: what is in the database was
verified before. Each is loaded in one transaction, so a run that is stopped here has all of a file or nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import trio

from oidl.dataset.annotations import Keep
from oidl.dataset.parts import Part, read_parts
from oidl.dataset.published import PublishedFile, Version
from oidl.dataset.rows import Skipped
from oidl.model import TYPE_FILES, FileKind, LabelType
from oidl.pipeline.metadata import Metadata
from oidl.pipeline.writer import StateWriter
from oidl.settings import Settings
from oidl.state.annotations import EVERY_IMAGE, Added, AnnotationFile, is_loaded, listed, load_file
from oidl.state.database import explained
from oidl.state.load import loaded_subsets

_NOT_LOADED = frozenset(
    {
        FileKind.IMAGE_LIST,
        FileKind.MASKS,
        FileKind.CAPTIONS,
        FileKind.NARRATIVES,
        FileKind.TRANSFER_LISTS,
        FileKind.RELATIONSHIP_CLASSES,  # its names are words as they are
        FileKind.RELATIONSHIP_TRIPLETS,
    }
)
_READABLE = (".csv", ".gz", ".txt", ".json", ".tgz", ".tar")


def needed_files(
    version: Version, subsets: Iterable[str], label_types: Iterable[LabelType]
) -> tuple[PublishedFile, ...]:
    """The files without which images cannot be chosen by annotations of these types. Raises `UsageError`."""
    files = version.annotations([TYPE_FILES[label_type] for label_type in label_types], subsets)
    return tuple(file for file in files if file.kind not in _NOT_LOADED)


class AnnotationLoader:
    """Loads annotation files. `say` tells people what happens."""

    def __init__(
        self, settings: Settings, version: Version, metadata: Metadata, state: StateWriter, say: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._version = version
        self._metadata = metadata
        self._state = state
        self._say = say
        self._subsets = settings.selection.subsets or version.subsets

    async def load_for_choice(self) -> None:
        """Loads, for the images of the list, what the choice of classes and the like is made by."""
        images, keep = await self._state.run(self._of_the_list)
        for file in needed_files(self._version, self._subsets, self._settings.selection.label_types):
            await self._load(file, images, keep)

    async def load_asked_for(self, chosen: str | None) -> None:
        """Loads what the settings ask for, for the images of the list or those of a choice; `chosen` is it in words."""
        images, keep = await self._state.run(self._of_the_list)
        if self._settings.load_every_annotation:
            images, keep = EVERY_IMAGE, None
        elif chosen:
            images, keep = chosen, listed(self._state.db, "temp.chosen")
        if self._settings.annotation_files:
            for path in self._settings.annotation_files:
                await self._state.run(self._read, AnnotationFile(str(path), "file", images), (path,), keep)
            return
        for file in self._version.annotations(self._settings.annotations, self._subsets):
            if file.kind not in _NOT_LOADED:
                await self._load(file, images, keep)

    def _of_the_list(self) -> tuple[str, Keep | None]:
        subsets = loaded_subsets(self._state.db)
        return f"listed: {', '.join(subsets)}", listed(self._state.db, "download")

    async def _load(self, published: PublishedFile, images: str, keep: Keep | None) -> None:
        file = AnnotationFile(self._version.recorded_name(published), published.kind, images)
        if await self._state.run(is_loaded, self._state.db, file):
            return
        paths = tuple(path for path in await self._metadata.on_disk(published) if path.suffix in _READABLE)
        await self._state.run(self._read, file, paths, keep)

    def _read(self, file: AnnotationFile, paths: tuple[Path, ...], keep: Keep | None) -> Added:
        """In a thread: all of one published file."""
        db = self._state.db
        if is_loaded(db, file):
            return Added(0, 0)
        self._say_from_thread(f"loading {file.name} into the database")
        skipped = Skipped(report=self._say_from_thread)
        parts = (part for path in paths for part in _cancellable(read_parts(path, skipped, keep)))
        with explained(db.path):
            added = load_file(db, file, parts, lambda: skipped.bad)
        there = f", {added.rows - added.new:,} of them there already" if added.new < added.rows else ""
        bad = f"; {skipped.bad:,} of {skipped.rows:,} rows are bad and were skipped" if skipped.bad else ""
        self._say_from_thread(f"{added.rows:,} rows of {file.name}{there}{bad}")
        return added

    def _say_from_thread(self, text: str) -> None:
        trio.from_thread.run_sync(self._say, text)


def _cancellable(parts: Iterator[Part]) -> Iterator[Part]:
    """`parts` that end, between two batches, with `trio.Cancelled` when the run is stopped."""
    for table, columns, batches in parts:
        yield table, columns, map(_checked, batches)


def _checked(batch: Any) -> Any:
    trio.from_thread.check_cancelled()
    return batch
