"""Predicts what a run would do, without fetching anything: for the start of `oidl run`, and for a dry run.

Images of loaded subsets are counted in the database; for other subsets the catalogue says how many there are.
If the selection needs files that are not loaded yet, the images to select from are counted, as an upper bound.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from oidl.dataset.ids import read_image_ids
from oidl.dataset.local_list import open_local_list
from oidl.dataset.published import PublishedFile, Version
from oidl.forecast import FilesToFetch, Forecast, Share
from oidl.model import CLASS_FILES
from oidl.pipeline.annotation_requirements import annotation_files, required_files
from oidl.pipeline.image_lists import list_files, requested_lists
from oidl.pipeline.selection import demand_of, select_from_settings
from oidl.pipeline.space import copy_bytes, likely_rooms
from oidl.settings import Selection, Settings
from oidl.state.connection import StateConnection
from oidl.state.forecast import (
    Demand,
    fetched_files,
    forecast_all,
    forecast_classes,
    forecast_selected,
    keep_missing,
    learned_pace,
    missing_to_limit,
    new_files,
)
from oidl.state.load import missing_subsets
from oidl.state.renditions import check_layout, check_recipes, with_own_directory
from oidl.state.selection import check_where, drop_selection
from oidl.state.translate import translating_sqlite_errors

_MAX_CLASSES = 50
_ROW_BYTES = 700  # of an image in the database, with its index, its outcome and its files
_UNPACKED = 6  # times the size of an archive
_CLASSES = "classes"


def make_forecast(
    db: StateConnection, settings: Settings, version: Version, say: Callable[[str], None] = lambda text: None
) -> Forecast:
    """What a run with these settings would do with the database `db`, which is only read, or empty and in memory.

    `say` reports ImageIDs that no list contains. Raises `OidlError` for anything that the run would refuse too.
    """
    with translating_sqlite_errors(db.path):
        settings = with_own_directory(db, settings)
        check_recipes(db, settings.all_renditions)
        check_layout(db, settings.all_renditions, settings.layout)
        check_where(db, settings.selection.where)
        missing: tuple[str, ...] = ()
        if settings.download_images:
            subsets = settings.selection.subsets or version.subsets
            missing = missing_subsets(db, requested_lists(settings, version), subsets)
        if missing and settings.local_list:
            with open_local_list(settings.local_list):  # only checks that it can be read
                pass
        required = required_files(db, version, settings.selection)
        forecast = Forecast()
        if settings.download_images and settings.selection.limit != 0:
            forecast = _of_images(db, settings, version, missing, bool(missing or required.files), say)
        lists = [
            file
            for file, subsets in list_files(settings, version).items()
            if set(missing).intersection(subsets) and not settings.local_list
        ]
        annotations = _annotations(db, settings, version)
        forecast = replace(
            forecast,
            lists=_sizes("their list" if len(lists) == 1 else "their lists", lists) if lists else None,
            annotations=tuple(_by_kind(annotations)),
            learned_pace=learned_pace(db),
        )
        others = _other_bytes(annotations, _published(settings, version, missing))
        shares = [share for share in forecast.subsets.values() if share]
        files = new_files(db, shares, forecast.images or 0, settings.required)
        return replace(forecast, rooms=likely_rooms(db, settings, version, files, others))


def _of_images(
    db: StateConnection,
    settings: Settings,
    version: Version,
    missing: tuple[str, ...],
    is_early: bool,
    say: Callable[[str], None],
) -> Forecast:
    """The forecast of the images; `is_early` if files or lists that select them (`missing`) are not loaded yet."""
    selection = settings.selection
    if is_early or (selection.limit is None and selection.limit_per_class is None):
        selection = replace(selection, shuffle=False)  # the order does not change a sum, and shuffling is slow
    demand = replace(
        demand_of(settings),
        can_use_local=settings.originals.can_use_local,
        mean_bytes=copy_bytes(version, settings.originals.sources[0]),
    )
    if selection.has_criteria and not is_early:
        return _of_selection(db, selection, demand, say)
    loaded = forecast_all(db, selection.subsets, demand)
    mean = demand.mean_bytes or version.mean_original_bytes
    subsets: dict[str, Share | None] = dict(loaded)
    for subset, images in _published(settings, version, missing).items():
        subsets[subset] = None if images is None else Share(images, mean and mean * images)
    most = _most(selection) if selection.has_criteria else None
    limit = missing_to_limit(db, selection, demand, are_selected=False) if most is None else most
    return Forecast(subsets, limit=limit, is_most=selection.has_criteria, is_exact=False)


def _of_selection(db: StateConnection, selection: Selection, demand: Demand, say: Callable[[str], None]) -> Forecast:
    """The forecast of the images that can be selected now, each of which is counted."""
    try:
        selected = select_from_settings(db, selection)
        if selected and selected.remark:
            say(selected.remark)
        keep_missing(db, selection, demand)
        classes = forecast_classes(db, demand) if selection.label_types else {}
        return Forecast(
            forecast_selected(db, selection.subsets, demand),
            dict(list(classes.items())[:_MAX_CLASSES]),
            is_exact=demand.mean_bytes is None,
        )
    finally:
        drop_selection(db)


def _most(selection: Selection) -> int | None:
    """The most images that a selection can have, as far as its options say; None for no bound."""
    bounds = [] if selection.limit is None else [selection.limit]
    if selection.limit_per_class is not None and selection.classes and not selection.include_subclasses:
        bounds.append(selection.limit_per_class * len(selection.classes))
    if selection.image_ids:
        bounds.append(sum(1 for _ in read_image_ids(selection.image_ids)))
    return min(bounds, default=None)


def _published(settings: Settings, version: Version, subsets: Iterable[str]) -> dict[str, int | None]:
    """The number of images in the list of each of `subsets`; None if the catalogue does not say."""
    if settings.images_csv is not None:
        return dict.fromkeys(subsets)
    return version.image_counts(settings.image_list, subsets)


def _annotations(db: StateConnection, settings: Settings, version: Version) -> list[PublishedFile]:
    """The annotation files that a run would still fetch."""
    required = required_files(db, version, settings.selection)
    files = dict.fromkeys(required.files)
    if settings.download_metadata and settings.selection.limit != 0:
        for file in annotation_files(settings, version):
            if file.kind not in required.overridden or file.kind in settings.annotations:
                files[file] = None
    fetched = fetched_files(db)
    return [file for file in files if version.recorded_name(file) not in fetched]


def _by_kind(files: Iterable[PublishedFile]) -> Iterator[FilesToFetch]:
    """The files to fetch, by kind; the small files that every annotation needs are one kind."""
    by_kind: dict[str, list[PublishedFile]] = {}
    for file in files:
        by_kind.setdefault(_CLASSES if file.kind in CLASS_FILES else file.kind, []).append(file)
    for kind, of_kind in sorted(by_kind.items(), key=lambda item: item[0] == _CLASSES):  # classes last
        yield _sizes(kind, of_kind)


def _sizes(name: str, files: Sequence[PublishedFile]) -> FilesToFetch:
    known = [file.expected_bytes for file in files if file.expected_bytes]
    is_exact = all(file.bytes for file in files if file.expected_bytes)
    return FilesToFetch(name, sum(known), is_exact, len(files) - len(known))


def _other_bytes(files: Iterable[PublishedFile], new_images: Mapping[str, int | None]) -> int:
    """Roughly the bytes of annotation files on the disk, and of `new_images` (by subset) in the database."""
    annotations = sum((file.expected_bytes or 0) * (_UNPACKED if file.is_tar else 1) for file in files)
    return annotations + _ROW_BYTES * sum(images or 0 for images in new_images.values())
