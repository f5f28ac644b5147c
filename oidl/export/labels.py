"""`oidl export`: walks through the files of one rendition and hands each, with the annotations in it, to a format.

Images that show nothing that was chosen are left out, unless they are asked for.
"""

import os
from collections.abc import Collection
from pathlib import Path

from oidl.errors import StateError, UsageError
from oidl.export.format import ExportTarget, Format
from oidl.export.image import categories
from oidl.export.replace import paths_of, refuse_others, remove_stale
from oidl.export.request import ExportRequest, ExportResult
from oidl.export.walk import LabelledImages
from oidl.model import LabelType, Rendition
from oidl.settings import Layout
from oidl.state.audit import known_renditions
from oidl.state.database import StateConnection, explained
from oidl.state.evidence import check_annotated
from oidl.state.labelled import classes_of, known_classes
from oidl.state.load import ImageList, loaded_list, loaded_subsets, wanted_subsets
from oidl.storage.atomic import atomic_text
from oidl.storage.layout import checked_subdirectory, subset_directory


def written_kinds(form: Format, label_types: Collection[LabelType]) -> tuple[LabelType, ...]:
    """Those of `label_types` (empty: boxes) that the format has a place for; `UsageError` if it has for none."""
    label_types = label_types or (LabelType.BOXES,)
    kinds = tuple(kind for kind in form.label_types if kind in label_types)
    if not kinds:
        raise UsageError(
            f"--format {form.name} has no place for {', '.join(label_types)}",
            hint=f"it takes {', '.join(form.label_types)}",
        )
    return kinds


def export_labels(db: StateConnection, root_dir: Path, request: ExportRequest) -> ExportResult:
    """Writes the labels of one rendition's files, and `images.meta`; `root_dir` is absolute.

    Goes to `request.dest`, or to `<root_dir>/<version>/export/<format>/<rendition>`, and takes the place of an
    earlier export in that format. Raises `UsageError` where there is nothing to export, or it does not say what.
    """
    with explained(db.path):
        held = loaded_list(db)
        if held is None:
            raise StateError("there is no image list in the database yet", hint="`oidl run` loads it")
        target, rendition = _target(db, root_dir, held, request)
        exported = ExportResult(
            target.dest,
            rendition.name,
            target.kinds,
            images=dict.fromkeys(target.image_directories, 0),
            annotations=dict.fromkeys(target.image_directories, 0),
        )
        written = paths_of(request.format, target.dest, target.splits, target.kinds)
        meta_path = target.dest / "images.meta"
        takes_a_place = os.path.lexists(meta_path)
        if not takes_a_place:
            refuse_others(written)
        # The list of sizes is in place before the rest: it says that what comes there is an export's.
        with request.format.write(target) as write_image, atomic_text(meta_path) as meta:
            for image in LabelledImages(db, root_dir, request, target, rendition, exported):
                meta.write(f"{image.file.image_id} {image.height} {image.width}\n")
                if image.shows_something or request.with_empty:
                    write_image(image)
                    exported.images[image.split] += 1
                    exported.annotations[image.split] += len(image.boxes) + len(image.labels)
                if sum(exported.images.values()) == request.selection.limit:
                    break
        if takes_a_place:
            remove_stale(paths_of(request.format, target.dest, loaded_subsets(db), request.format.label_types), written)
    return exported


def _target(
    db: StateConnection, root_dir: Path, held: ImageList, request: ExportRequest
) -> tuple[ExportTarget, Rendition]:
    rendition = _rendition(db, request.rendition)
    subsets = wanted_subsets(db, request.selection.subsets)
    kinds = written_kinds(request.format, request.selection.label_types)
    check_annotated(db, kinds)
    classes = known_classes(db, kinds) if request.label_names is None else classes_of(db, request.label_names)
    dest = request.dest
    if dest is None:
        name = checked_subdirectory(rendition.name, "without --dest, a rendition's name")
        dest = root_dir / held.directory / "export" / request.format.name / name
    layout = Layout(root_dir, held.directory)
    directories = {subset: subset_directory(layout, subset, rendition.directory) for subset in subsets}
    title = f"Open Images V{held.dataset_version}"
    return ExportTarget(root_dir, dest, title, rendition.name, directories, categories(classes), kinds), rendition


def _rendition(db: StateConnection, name: str | None) -> Rendition:
    """The rendition called `name`; without a name the only resized one, or, if none is, the only one there is."""
    present = [rendition for rendition, files in known_renditions(db) if files]
    names = ", ".join(rendition.name for rendition in present)
    if not present:
        raise UsageError("there are no images yet", hint="`oidl run` downloads them")
    if name is not None:
        for rendition in present:
            if rendition.name == name:
                return rendition
        raise UsageError(f"--rendition {name}: there are no such images", hint=f"there are {names}")
    candidates = [rendition for rendition in present if rendition.mode is not None] or present
    if len(candidates) > 1:
        raise UsageError("there are images of several renditions", hint=f"say which with --rendition: {names}")
    return candidates[0]
