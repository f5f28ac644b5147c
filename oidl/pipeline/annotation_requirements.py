"""Which annotation files a run fetches, and which of them images cannot be chosen without.

The latter are what is published, less what is loaded for the images of the list, and less what files of
the user's own stand for: who has a file already, or made one, need not fetch another to choose by.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from oidl.dataset.published import PublishedFile, Version
from oidl.errors import UsageError
from oidl.model import CLASS_FILES, TYPE_FILES, FileKind
from oidl.settings import Selection, Settings
from oidl.state.annotation_filters import ANNOTATION_TABLES
from oidl.state.annotations import AnnotationFile, is_loaded, listed_images, own_contents
from oidl.state.classes import wanted_classes
from oidl.state.connection import StateConnection
from oidl.state.load import loaded_subsets

NOT_LOADED = frozenset(
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
"""The kinds of which nothing goes into the database."""


@dataclass(frozen=True, slots=True)
class RequiredFiles:
    """The published `files` that a choice still needs, and the kinds that `by`, files of one's own, stand for."""

    files: tuple[PublishedFile, ...] = ()
    replaced: tuple[FileKind, ...] = ()
    by: tuple[str, ...] = ()


def annotation_files(settings: Settings, version: Version) -> tuple[PublishedFile, ...]:
    """The published files to fetch beside images, those that choose images among them.

    Of all images of the subsets, these are the kinds that were asked for, or every kind that is not optional. Some
    images come with the kinds that chose them and those that were asked for; if there are none of either, with boxes.
    Raises `UsageError` for a kind that was asked for and is not published.
    """
    selection, kinds = settings.selection, settings.annotations
    subsets = selection.subsets or version.subsets
    if not selection.is_narrowed:
        return version.annotations(kinds, subsets)
    published = {file.kind for file in version.files}
    choosing = [TYPE_FILES[label_type] for label_type in selection.label_types]
    used = [*choosing, *kinds] or [FileKind.BOXES if FileKind.BOXES in published else FileKind.LABELS]
    asked = [kind for kind in used if kind in published or kind in kinds]
    return version.annotations(asked, subsets) if asked else class_files(version)


def class_files(version: Version) -> tuple[PublishedFile, ...]:
    """The files without which no annotation can be read."""
    return tuple(file for file in version.files if file.kind in CLASS_FILES)


def required_files(db: StateConnection, version: Version, selection: Selection) -> RequiredFiles:
    """What images cannot be chosen without and is not loaded for the list in `db`: published files.

    A file of the user's own stands for annotations of a type in each subset that it had some of, and for classes if
    those asked for are known. Raises `UsageError` for a type that is not published.
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
            is_needless = are_classes_known and not selection.include_subclasses
            return is_needless or "class_hierarchy" in own
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
    replaced = [file for file in absent if file.kind in tables and is_own(file.kind, file.subset)]
    by = {name for file in replaced for part in parts(file.kind, file.subset) for name in own[part]}
    return RequiredFiles(
        tuple(file for file in absent if not is_own(file.kind, file.subset)),
        tuple(dict.fromkeys(file.kind for file in replaced)),
        tuple(sorted(by)),
    )


def _are_known(db: StateConnection, classes: Iterable[str]) -> bool:
    try:
        return all(wanted_classes(db, classes))
    except UsageError:
        return False
