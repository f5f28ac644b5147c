"""Which annotation files a run fetches, and which of them it needs to select images.

The latter are the published files, without those that are loaded for the images of the list, and without
those that the user's own files replace: a user who has or made a file need not fetch another one to select by.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from oidl.dataset.published import PublishedFile, Version
from oidl.errors import UsageError
from oidl.model import CLASS_FILES, TYPE_FILES, FileKind
from oidl.settings import Selection, Settings
from oidl.state.annotation_filters import ANNOTATION_TABLES
from oidl.state.annotations import AnnotationFile, is_loaded, listed_images, own_contents
from oidl.state.classes import requested_classes
from oidl.state.connection import StateConnection
from oidl.state.load import loaded_subsets

NOT_LOADED = frozenset(
    {
        FileKind.IMAGE_LIST,
        FileKind.MASKS,
        FileKind.CAPTIONS,
        FileKind.NARRATIVES,
        FileKind.TRANSFER_LISTS,
        FileKind.RELATIONSHIP_CLASSES,  # its names are plain words already
        FileKind.RELATIONSHIP_TRIPLETS,
    }
)
"""The kinds that never go into the database."""


@dataclass(frozen=True, slots=True)
class RequiredFiles:
    """The published `files` that a selection still needs; the user's own files `overriding` replace `overridden`."""

    files: tuple[PublishedFile, ...] = ()
    overridden: tuple[FileKind, ...] = ()
    overriding: tuple[str, ...] = ()


def annotation_files(settings: Settings, version: Version) -> tuple[PublishedFile, ...]:
    """The published files to fetch in addition to images, including those that select images.

    For all images of the subsets, these are the requested kinds, or every kind that is not optional. For a part of the
    images, these are the kinds that select them and the requested ones; if there are neither, boxes.
    Raises `UsageError` for a requested kind that is not published.
    """
    selection, kinds = settings.selection, settings.annotations
    subsets = selection.subsets or version.subsets
    if not selection.is_narrowed:
        return version.annotations(kinds, subsets)
    published = {file.kind for file in version.files}
    selecting = [TYPE_FILES[label_type] for label_type in selection.label_types]
    useful = [*selecting, *kinds] or [FileKind.BOXES if FileKind.BOXES in published else FileKind.LABELS]
    available = [kind for kind in useful if kind in published or kind in kinds]
    return version.annotations(available, subsets) if available else class_files(version)


def class_files(version: Version) -> tuple[PublishedFile, ...]:
    """The files that are needed to read any annotation."""
    return tuple(file for file in version.files if file.kind in CLASS_FILES)


def required_files(db: StateConnection, version: Version, selection: Selection) -> RequiredFiles:
    """The published files that are needed to select images and are not loaded for the list in `db`.

    A user's own file replaces the annotations of a type in each subset that it has rows for, and the class files if
    the selected classes are known. Raises `UsageError` for a type that is not published.
    """
    if not selection.label_types:
        return RequiredFiles()
    images = listed_images(loaded_subsets(db))
    own = own_contents(db)
    subsets = selection.subsets or version.subsets
    tables = {TYPE_FILES[label_type]: ANNOTATION_TABLES[label_type].table for label_type in selection.label_types}
    are_classes_known = "class" in own and _are_known(db, selection.classes)

    def parts(kind: FileKind, subset: str | None) -> list[str]:
        return [f"{tables[kind]}/{each}" for each in ((subset,) if subset else subsets)]

    def is_own(kind: FileKind, subset: str | None) -> bool:
        if kind is FileKind.HIERARCHY:
            is_unnecessary = are_classes_known and not selection.include_subclasses
            return is_unnecessary or "class_hierarchy" in own
        if kind in CLASS_FILES:
            return are_classes_known
        return all(part in own for part in parts(kind, subset))

    published = {file.kind for file in version.files}
    kinds = [kind for kind in tables if kind in published or not is_own(kind, None)]
    files = version.annotations(kinds, subsets) if kinds else class_files(version)
    absent = [
        file
        for file in files
        if file.kind not in NOT_LOADED
        and not is_loaded(db, AnnotationFile(version.recorded_name(file), file.kind, images))
    ]
    overridden = [file for file in absent if file.kind in tables and is_own(file.kind, file.subset)]
    overriding = {name for file in overridden for part in parts(file.kind, file.subset) for name in own[part]}
    return RequiredFiles(
        tuple(file for file in absent if not is_own(file.kind, file.subset)),
        tuple(dict.fromkeys(file.kind for file in overridden)),
        tuple(sorted(overriding)),
    )


def _are_known(db: StateConnection, classes: Iterable[str]) -> bool:
    try:
        return all(requested_classes(db, classes))
    except UsageError:
        return False
