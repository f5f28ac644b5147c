"""`oidl export`: passes the images of one rendition, with their annotations, one after another to a format.

An export is written next to the previous one and replaces it as a whole. Images without a requested annotation are left
out, unless the request includes empty images.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import closing
from pathlib import Path

from oidl.errors import StateError, UsageError
from oidl.export.attribution import ATTRIBUTION, Attribution
from oidl.export.categories import export_categories
from oidl.export.croissant import CROISSANT, write_croissant
from oidl.export.describe import nothing_exported
from oidl.export.files import ImageDirectory
from oidl.export.format import ExportTarget, Format
from oidl.export.image import LabelledImage
from oidl.export.masks import MaskReader
from oidl.export.remote import read_remote_images
from oidl.export.request import ExportRequest, ExportResult
from oidl.export.walk import LabelledImages
from oidl.hints import command
from oidl.model import LabelType, Rendition
from oidl.settings import Layout
from oidl.state.annotation_filters import is_annotated, require_annotations
from oidl.state.connection import StateConnection
from oidl.state.file_annotations import subsets_with_images
from oidl.state.homes import read_homes
from oidl.state.licenses import UnmetLicense, unmet_license
from oidl.state.load import loaded_list, requested_subsets
from oidl.state.plan_counts import images_left
from oidl.state.verify import known_renditions
from oidl.storage.layout import checked_subdirectory
from oidl.storage.ownership import OwnFiles
from oidl.storage.replace import replaced_entries

SIZES = "images.meta"


def written_kinds(form: Format, label_types: Collection[LabelType]) -> tuple[LabelType, ...]:
    """`label_types` (empty: boxes) in the format's order. Raises `UsageError` if it does not support one of them."""
    label_types = label_types or (LabelType.BOXES,)
    if others := [kind for kind in label_types if kind not in form.label_types]:
        raise UsageError(
            f"--format {form.name} does not support {' and '.join(others)}",
            hint=f"use --label-types {','.join(form.label_types)}, or some of these",
        )
    return tuple(kind for kind in form.label_types if kind in label_types)


def export_labels(
    db: StateConnection,
    root_dir: Path,
    request: ExportRequest,
    on_progress: Callable[[ExportResult], None] = lambda result: None,
) -> ExportResult:
    """Writes the images of one rendition, their labels and their attribution; `root_dir` is absolute.

    Writes to `request.dest`, or to `<root_dir>/<version>/export/<format>/<rendition>`, and replaces the export that is
    there. `on_progress` is called after each image. Raises `UsageError`, and keeps the export that is there, if
    there is nothing to export or the request is ambiguous.
    """
    form = request.format
    image_list = loaded_list(db)
    if image_list is None:
        raise StateError("there is no image list in the database yet", hint=f"run {command('run')} to load it")
    rendition = find_rendition(db, request.rendition)
    subsets = requested_subsets(db, request.selection.subsets)
    kinds = _kinds(db, request)
    numbered = export_categories(db, kinds, request.label_names)
    dest = request.dest
    if dest is None:
        name = checked_subdirectory(rendition.name, "without --dest, the name of a rendition")
        dest = root_dir / image_list.directory / "export" / form.name / name
    splits = [form.split_name(split) for split in request.split.names(subsets)]
    result = ExportResult(
        dest,
        rendition.name,
        kinds,
        images=dict.fromkeys(splits, 0),
        annotations={split: Counter() for split in splits},
        total=_total(db, request, rendition),
        left=images_left(db),
    )
    expected = _expected_splits(db, request, rendition, subsets)
    if form.required_splits and not expected:
        raise nothing_exported(result, _unmet(db, request))
    _check_splits(request, splits, expected)
    title = f"Open Images V{image_list.dataset_version}"
    entries = [ATTRIBUTION, CROISSANT, SIZES, *form.entries(splits, kinds)]
    masks = MaskReader({subset: root_dir / image_list.directory / subset for subset in subsets})
    if LabelType.SEGMENTATIONS in kinds:
        masks.require_archives(db, rendition.name, request.label_names, request.selected)
    with closing(masks), replaced_entries(dest, entries) as directory:
        target = ExportTarget(
            directory,
            title,
            rendition.name,
            splits,
            numbered.of_objects,
            kinds,
            numbered.of_others,
            box_polygons=request.box_polygons,
        )
        files = ImageDirectory(request.image_files, root_dir, directory, dest, read_remote_images(db, root_dir))
        own = OwnFiles(read_homes(db, Layout(root_dir, image_list.directory)), subsets)
        images = LabelledImages(db, request, rendition, subsets, own, kinds, numbered.by_label_name, masks, result)
        attribution = _write(target, files, images, request, result, on_progress)
        if not any(result.images.values()):
            raise nothing_exported(result, _unmet(db, request))
        _check_splits(request, splits, [split for split, images in result.images.items() if images])
        write_croissant(target, form, image_list.dataset_version, attribution)
    return result


def _unmet(db: StateConnection, request: ExportRequest) -> UnmetLicense | None:
    """Why `--license` leaves nothing to export, if it does."""
    return unmet_license(db, request.selection.license, request.selected.images if request.selected else None)


def _write(
    target: ExportTarget,
    files: ImageDirectory,
    images: Iterable[LabelledImage],
    request: ExportRequest,
    result: ExportResult,
    on_progress: Callable[[ExportResult], None],
) -> Attribution:
    """Writes the images with their annotations, and counts them in `result`, which it passes to `on_progress`."""
    with (
        request.format.write(target) as write,
        Attribution(target) as attribution,
        target.open_text(SIZES) as sizes,
    ):
        for image in images:
            result.files_read += 1
            on_progress(result)
            sizes.write(f"{image.file.image_id} {image.height} {image.width}\n")
            if not (image.shows_something or request.with_empty):
                continue
            if not files.add(image.file.path, image.file.bytes, str(image.path)):
                if store := files.remote.store(image.file.path):
                    result.remote_files += 1
                    result.remote_store = store
                else:
                    result.missing_files += 1
                continue
            result.from_shards = files.from_shards
            write(image)
            attribution.add(image)
            result.images[image.split] += 1
            result.annotations[image.split].update({kind: image.count(kind) for kind in target.kinds})
            if sum(result.images.values()) == request.selection.limit:
                break
    return attribution


def _total(db: StateConnection, request: ExportRequest, rendition: Rendition) -> int:
    """The maximum number of files to look at."""
    files = dict(known_renditions(db))[rendition]
    return min(files, request.selected.images) if request.selected else files


def _kinds(db: StateConnection, request: ExportRequest) -> tuple[LabelType, ...]:
    """The annotations to write. Raises `UsageError` if requested ones are not in the database."""
    form = request.format
    if form.takes_all and not request.selection.label_types:
        return tuple(kind for kind in form.label_types if is_annotated(db, kind))
    kinds = written_kinds(form, request.selection.label_types)
    require_annotations(db, kinds)
    return kinds


def _expected_splits(
    db: StateConnection, request: ExportRequest, rendition: Rendition, subsets: Sequence[str]
) -> list[str]:
    """The splits that will have images, as far as that is known before the annotations are read."""
    present = subsets_with_images(db, rendition.name, subsets, request.selected)
    return [request.format.split_name(split) for split in request.split.names(present)]


def _check_splits(request: ExportRequest, splits: Collection[str], present: Collection[str]) -> None:
    """Raises `UsageError` if a required split of the format is not in `present`, the splits with images."""
    missing = [split for split in request.format.required_splits if split not in present]
    if missing:
        is_chance = bool(request.split.shares) and set(missing) <= set(splits)
        raise UsageError(
            f"--format {request.format.name}: there are no images for {' and '.join(missing)}",
            hint="use another --seed or more images" if is_chance else "use --split 80/20 to divide the images",
        )


def find_rendition(db: StateConnection, name: str | None) -> Rendition:
    """The rendition called `name`; without a name the only resized one, otherwise the only one."""
    present = [rendition for rendition, files in known_renditions(db) if files]
    names = ", ".join(rendition.name for rendition in present)
    if not present:
        raise UsageError("there are no images yet", hint=f"run {command('run')} to download them")
    if name is not None:
        for rendition in present:
            if rendition.name == name:
                return rendition
        raise UsageError(f"--rendition {name}: there are no such images", hint=f"choose from {names}")
    candidates = [rendition for rendition in present if rendition.mode is not None] or present
    if len(candidates) > 1:
        raise UsageError("there are images of several renditions", hint=f"choose one with --rendition: {names}")
    return candidates[0]
