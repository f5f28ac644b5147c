"""`oidl export`: the images of one rendition and the annotations in them, handed one after another to a format.

All of an export is written beside the one before and takes its place as a whole. Images that show nothing that was
chosen are left out, unless they are asked for.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import closing
from pathlib import Path

from oidl.errors import StateError, UsageError
from oidl.export.attribution import ATTRIBUTION, Attribution
from oidl.export.categories import export_categories
from oidl.export.croissant import CROISSANT, write_croissant
from oidl.export.files import ImageDirectory
from oidl.export.format import ExportTarget, Format
from oidl.export.image import LabelledImage
from oidl.export.masks import MaskReader
from oidl.export.request import ExportRequest, ExportResult
from oidl.export.walk import LabelledImages
from oidl.hints import command
from oidl.model import LabelType, Rendition
from oidl.settings import Layout
from oidl.state.annotation_filters import is_annotated, require_annotations
from oidl.state.connection import StateConnection
from oidl.state.file_annotations import subsets_with_images
from oidl.state.homes import read_homes
from oidl.state.load import loaded_list, wanted_subsets
from oidl.state.verify import known_renditions
from oidl.storage.layout import checked_subdirectory
from oidl.storage.ownership import OwnFiles
from oidl.storage.replace import replaced_entries

SIZES = "images.meta"


def written_kinds(form: Format, label_types: Collection[LabelType]) -> tuple[LabelType, ...]:
    """`label_types` (empty: boxes) in the format's order. Raises `UsageError` if it has no place for one of them."""
    label_types = label_types or (LabelType.BOXES,)
    if others := [kind for kind in label_types if kind not in form.label_types]:
        raise UsageError(
            f"--format {form.name} has no place for {' and '.join(others)}",
            hint=f"use --label-types {','.join(form.label_types)}, or some of these",
        )
    return tuple(kind for kind in form.label_types if kind in label_types)


def export_labels(
    db: StateConnection,
    root_dir: Path,
    request: ExportRequest,
    tell: Callable[[ExportResult], None] = lambda result: None,
) -> ExportResult:
    """Writes one rendition's images, their labels and their attribution; `root_dir` is absolute.

    Goes to `request.dest`, or to `<root_dir>/<version>/export/<format>/<rendition>`, and takes the place of the
    export that is there. `tell` is called with each image that was looked at. Raises `UsageError` if there is nothing
    to export, or the request does not say what.
    """
    form = request.format
    held = loaded_list(db)
    if held is None:
        raise StateError("there is no image list in the database yet", hint=f"{command('run')} loads it")
    rendition = find_rendition(db, request.rendition)
    subsets = wanted_subsets(db, request.selection.subsets)
    kinds = _kinds(db, request)
    numbered = export_categories(db, kinds, request.label_names)
    dest = request.dest
    if dest is None:
        name = checked_subdirectory(rendition.name, "without --dest, a rendition's name")
        dest = root_dir / held.directory / "export" / form.name / name
    splits = [form.split_name(split) for split in request.split.names(subsets)]
    _check_splits(request, splits, _expected_splits(db, request, rendition, subsets))
    result = ExportResult(
        dest,
        rendition.name,
        kinds,
        images=dict.fromkeys(splits, 0),
        annotations={split: Counter() for split in splits},
        total=_total(db, request, rendition),
    )
    title = f"Open Images V{held.dataset_version}"
    entries = [ATTRIBUTION, CROISSANT, SIZES, *form.entries(splits, kinds)]
    masks = MaskReader({subset: root_dir / held.directory / subset for subset in subsets})
    if LabelType.SEGMENTATIONS in kinds:
        masks.require_archives(db, rendition.name, request.label_names, request.chosen)
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
        files = ImageDirectory(request.image_files, root_dir, directory, dest)
        own = OwnFiles(read_homes(db, Layout(root_dir, held.directory)), subsets)
        images = LabelledImages(db, request, rendition, subsets, own, kinds, numbered.by_label_name, masks, result)
        attribution = _write(target, files, images, request, result, tell)
        _check_splits(request, splits, [split for split, images in result.images.items() if images])
        write_croissant(target, form, held.dataset_version, attribution)
    return result


def _write(
    target: ExportTarget,
    files: ImageDirectory,
    images: Iterable[LabelledImage],
    request: ExportRequest,
    result: ExportResult,
    tell: Callable[[ExportResult], None],
) -> Attribution:
    """Writes the images and all that is said of them, and counts them in `result`, which `tell` is called with."""
    with (
        request.format.write(target) as write,
        Attribution(target) as attribution,
        target.open_text(SIZES) as sizes,
    ):
        for image in images:
            result.looked_at += 1
            tell(result)
            sizes.write(f"{image.file.image_id} {image.height} {image.width}\n")
            if not (image.shows_something or request.with_empty):
                continue
            if not files.add(image.file.path, str(image.path)):
                result.missing_files += 1
                continue
            write(image)
            attribution.add(image)
            result.images[image.split] += 1
            result.annotations[image.split].update({kind: image.count(kind) for kind in target.kinds})
            if sum(result.images.values()) == request.selection.limit:
                break
    return attribution


def _total(db: StateConnection, request: ExportRequest, rendition: Rendition) -> int:
    """How many files there are to look at, at most."""
    files = next(files for each, files in known_renditions(db) if each.name == rendition.name)
    return min(files, request.chosen.images) if request.chosen else files


def _kinds(db: StateConnection, request: ExportRequest) -> tuple[LabelType, ...]:
    """The annotations that are written. Raises `UsageError` if those that are asked for are not in the database."""
    form = request.format
    if form.takes_all and not request.selection.label_types:
        return tuple(kind for kind in form.label_types if is_annotated(db, kind))
    kinds = written_kinds(form, request.selection.label_types)
    require_annotations(db, kinds)
    return kinds


def _expected_splits(
    db: StateConnection, request: ExportRequest, rendition: Rendition, subsets: Sequence[str]
) -> list[str]:
    """The splits that will have images, as far as that can be said before the annotations are looked at."""
    present = subsets_with_images(db, rendition.name, subsets, request.chosen)
    return [request.format.split_name(split) for split in request.split.names(present)]


def _check_splits(request: ExportRequest, splits: Collection[str], present: Collection[str]) -> None:
    """Raises `UsageError` if the format must have splits that are not among those with images, `present`."""
    missing = [split for split in request.format.required_splits if split not in present]
    if missing:
        is_chance = bool(request.split.shares) and set(missing) <= set(splits)
        raise UsageError(
            f"--format {request.format.name}: there are no images for {' and '.join(missing)}",
            hint="use another --seed or more images" if is_chance else "use --split 80/20 to divide the images",
        )


def find_rendition(db: StateConnection, name: str | None) -> Rendition:
    """The rendition called `name`; without a name the only resized one, or, if none is, the only one there is."""
    present = [rendition for rendition, files in known_renditions(db) if files]
    names = ", ".join(rendition.name for rendition in present)
    if not present:
        raise UsageError("there are no images yet", hint=f"{command('run')} downloads them")
    if name is not None:
        for rendition in present:
            if rendition.name == name:
                return rendition
        raise UsageError(f"--rendition {name}: there are no such images", hint=f"there are {names}")
    candidates = [rendition for rendition in present if rendition.mode is not None] or present
    if len(candidates) > 1:
        raise UsageError("there are images of several renditions", hint=f"say which with --rendition: {names}")
    return candidates[0]
