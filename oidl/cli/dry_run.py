"""`oidl run --dry-run`: what would be fetched, from a database that is only read."""

from dataclasses import replace

from oidl.cli.choosing import told_choice
from oidl.dataset.published import Version
from oidl.errors import UsageError
from oidl.pipeline.metadata import asked_lists
from oidl.pipeline.needed import needed_files
from oidl.pipeline.selected import asked_of
from oidl.report.forecast import forecast_text
from oidl.settings import Settings
from oidl.state.database import StateConnection, explained, open_reader
from oidl.state.forecast import (
    forecast_all,
    forecast_chosen,
    forecast_classes,
    keep_missing,
    learned_pace,
    missing_to_limit,
)
from oidl.state.load import missing_subsets
from oidl.state.recipes import check_layout, check_recipes, with_own_directory

_MAX_CLASSES = 50


def dry_run(settings: Settings, version: Version) -> str:
    """The plan in words. Raises `UsageError` where the image list, or annotations that it takes, are not loaded."""
    selection = settings.selection
    if not settings.download_images:
        return "no image would be fetched (--no-download-images); nothing was touched"
    if selection.limit is None and selection.limit_per_class is None:
        selection = replace(selection, shuffle=False)  # the order changes nothing of a sum, and takes long to draw
    db = open_reader(settings.state_db)
    try:
        with explained(db.path):
            _check_loaded(db, settings, version)
            settings = with_own_directory(db, settings)
            check_recipes(db, settings.every)
            check_layout(db, settings.every, settings.layout)
            chosen = told_choice(db, selection)
            asked = asked_of(settings)
            if chosen:
                keep_missing(db, selection, asked)
            missing = None if chosen else missing_to_limit(db, selection, asked, are_chosen=False)
            plan = forecast_chosen if chosen else forecast_all
            classes = forecast_classes(db, asked) if selection.label_types else {}
            return forecast_text(
                plan(db, selection.subsets, asked),
                dict(list(classes.items())[:_MAX_CLASSES]),
                missing,
                learned_pace(db),
                is_exact=bool(chosen),
            )
    finally:
        db.close()


def _check_loaded(db: StateConnection, settings: Settings, version: Version) -> None:
    selection = settings.selection
    if missing := missing_subsets(db, asked_lists(settings, version), selection.subsets or version.subsets):
        raise UsageError(
            f"the image list of {', '.join(missing)} is not in the state database",
            hint="`oidl run --limit 0` loads it; a dry run touches nothing",
        )
    if absent := [version.recorded_name(file) for file in needed_files(db, version, selection).files]:
        raise UsageError(
            f"of the annotations that the choice is made by, these are not in the state database: {', '.join(absent)}",
            hint="`oidl run --limit 0` with the same choice loads them, or `oidl annotations load`",
        )
