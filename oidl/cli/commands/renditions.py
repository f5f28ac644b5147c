"""`oidl renditions`: lists the renditions of the images, or removes one."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated

from cyclopts import Parameter

from oidl.cli.options.groups import flattened
from oidl.cli.options.lists import list_of
from oidl.cli.options.paths import PathOptions
from oidl.cli.options.types import absolute
from oidl.cli.planning import plan_changes, planned_options, with_rendition, without_rendition
from oidl.errors import StateError, UsageError
from oidl.hints import command
from oidl.model import LicenseFilter
from oidl.pipeline.removal import Removed, remove_files, remove_licensed
from oidl.progress.format import size
from oidl.settings import Layout, Settings
from oidl.state.connection import StateConnection
from oidl.state.counts import read_counts
from oidl.state.database import check_database, open_reader, open_writer
from oidl.state.license_removal import removed_in_packs
from oidl.state.load import loaded_list, loaded_subsets
from oidl.state.lock import writer_lock
from oidl.state.plan import Value, read_plan
from oidl.state.removal import begin_removal, known_directory, stored_renditions
from oidl.state.renditions import resized_with_files, with_own_directory
from oidl.text import counted, printable

_FOUND = [word for word in LicenseFilter if word is not LicenseFilter.UNCHECKED]


def print_renditions(paths: PathOptions) -> None:
    """Lists the renditions: recipe, directory, files, bytes, and if the plan still makes them."""
    with open_reader(paths.database) as db:
        found, planned = stored_renditions(db), _planned(db)
    if not found:
        print("There are no renditions yet.")
        return
    names = {rendition.name for rendition in planned.all_renditions} if planned else set()
    print(f"{'files':>12}{'size':>12}  {'plan':<6}name")
    for each in found:
        place = "" if each.directory == each.name else f", in {each.directory}"
        made = "yes" if each.name in names else "no"
        print(printable(f"{each.files:>12,}{size(each.bytes):>12}  {made:<6}{each.name}: {each.recipe}{place}"))


@flattened
@dataclass(frozen=True, kw_only=True)
class RemoveOptions:
    """The options of `oidl renditions remove`."""

    license: Annotated[tuple[LicenseFilter, ...], list_of("licence", "changed,gone", _FOUND)] = ()
    """Instead, remove all files of the images whose last licence check found one of these, like `changed,gone`."""


def remove(
    name: Annotated[str, Parameter(help="The rendition to remove, as `oidl renditions` lists it.")] = "",
    /,
    paths: PathOptions = PathOptions(),
    options: RemoveOptions = RemoveOptions(),
) -> None:
    """Deletes the files of the rendition `name`, and takes it out of the plan; continues an interrupted removal.

    With a licence, deletes the files of images instead.
    """
    if bool(name) == bool(options.license):
        raise UsageError(
            f"{command('renditions remove')} takes NAME or --license, not both"
            if name
            else f"{command('renditions remove')} needs NAME, a rendition, or --license",
            hint=f"run {command('renditions')} to list the renditions",
        )
    check_database(paths.database)  # a removal neither creates nor updates a database
    with writer_lock(paths.database), open_writer(paths.database) as db:
        db.execute("PRAGMA synchronous = FULL")  # rows go before files, and must not come back after a power cut
        if options.license:
            _remove_licensed(db, options.license, paths)
        else:
            _remove(db, name, paths)


def _remove_licensed(db: StateConnection, words: Sequence[LicenseFilter], paths: PathOptions) -> None:
    held = loaded_list(db)
    if held is None:
        raise StateError("there is no image list in the database yet", hint=f"run {command('run')} to load it")
    removed = remove_licensed(db, Layout(absolute(paths.root_dir), held.directory), words)
    images = counted(removed.images, "image")
    print(printable(f"removed {images}: {counted(removed.files, 'file')}, {size(removed.bytes)} freed"))
    if any(shards.sealed or shards.open for shards in read_counts(db).shards.values()) and removed.images:
        print(f"shards still contain them until {command('run')} has copied the others")
    if removed.images and (packs := removed_in_packs(db)):
        named = f"{packs[0]}{f' and {len(packs) - 1:,} more' if packs[1:] else ''}"
        print(printable(f"packs still contain some of them: {named}; run {command('pack', '--again')} to pack without"))
    _report_others(removed)


def _remove(db: StateConnection, name: str, paths: PathOptions) -> None:
    held = loaded_list(db)
    if held is None:
        raise StateError("there is no image list in the database yet", hint=f"run {command('run')} to load it")
    directory = known_directory(db, name)
    if directory is None:
        names = ", ".join(each.name for each in stored_renditions(db))
        raise UsageError(f"there is no rendition {name}", hint=f"choose from {names}" if names else "")
    plan = read_plan(db)
    new = _plan_without(db, plan, name)
    begin_removal(db, name, directory, new if new != plan else None)
    subsets = loaded_subsets(db)
    if changes := plan_changes(plan, new):
        print(printable(f"changed in the plan: {changes}"))
    layout = Layout(absolute(paths.root_dir), held.directory)
    removed = remove_files(db, layout, subsets, name, directory)
    files = "1 file" if removed.files == 1 else f"{removed.files:,} files"
    print(printable(f"removed {name}: {files}, {size(removed.bytes)} freed"))
    _report_others(removed)


def _plan_without(db: StateConnection, plan: Mapping[str, Value], name: str) -> Mapping[str, Value]:
    """`plan` without the rendition `name`; if that was the last one, with another one that has files.

    Otherwise the next run would download images and keep nothing of them.
    """
    planned = _planned(db)
    if planned is None or name not in {rendition.name for rendition in planned.all_renditions}:
        return plan
    new = without_rendition(plan, name, _classic(planned))
    if new.get("resize_images", True) or new.get("save_original_images"):
        return new
    others = [each for each in resized_with_files(db, planned.originals.store) if each.name != name]
    return with_rendition(new, others[0]) if others else new


def _report_others(removed: Removed) -> None:
    if removed.others:
        others = counted(removed.others, "file")
        print(printable(f"left alone {others} that the database names but oidl did not write, such as {removed.other}"))


def _planned(db: StateConnection) -> Settings | None:
    """The settings of the plan; None if there is no plan, or one that this version of the program cannot read."""
    plan = read_plan(db)
    if not plan:
        return None
    with suppress(ValueError, UsageError):
        return with_own_directory(db, replace(planned_options(plan).settings(""), plan=plan))
    return None


def _classic(planned: Settings | None) -> str | None:
    """The name of the resized images that are made without `--rendition`; None if there are none."""
    if planned is None:
        return None
    others = len(planned.plan.get("rendition", ()))  # type: ignore[arg-type]
    return planned.renditions[0].name if len(planned.renditions) > others else None
