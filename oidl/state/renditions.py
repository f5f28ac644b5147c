"""The recipes of renditions: a directory, or a name, stands for one of them, and never for a mix; nor of layouts."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from oidl.errors import UsageError
from oidl.hints import command
from oidl.model import Crop, Orientation, Rendition
from oidl.settings import Layout, Settings
from oidl.state.plan import read_plan

_PREFIX_CHARACTERS = 3
_RECIPE = ("name", "mode", "box_size", "format", "quality", "crop", "orientation", "background", "force_rgb")


def register(db: sqlite3.Connection, renditions: Sequence[Rendition]) -> None:
    """Notes the recipe of each of `renditions`, inside the caller's transaction; raises as `check_recipes` does."""
    check_recipes(db, renditions)
    for rendition in renditions:
        db.execute("DELETE FROM rendition WHERE directory = ? AND files = 0", (rendition.directory,))
        db.execute(
            f"INSERT INTO rendition (directory, {', '.join(_RECIPE)}) VALUES (?{', ?' * len(_RECIPE)}) "
            "ON CONFLICT (name) DO UPDATE SET directory = excluded.directory",
            (rendition.directory, *_recipe(rendition)),
        )


def check_recipes(db: sqlite3.Connection, renditions: Iterable[Rendition]) -> None:
    """Raises `UsageError` where the directory or name of one of `renditions` stands for another."""
    for rendition in renditions:
        recipe = _recipe(rendition)
        known = db.execute(
            f"SELECT directory, {', '.join(_RECIPE)} FROM rendition WHERE (directory = ? OR name = ?) AND files > 0",
            (rendition.directory, rendition.name),
        ).fetchall()
        for directory, *held in known:
            if tuple(held) != recipe:
                there, wanted = _words(held), _words(recipe)
                if there == wanted:
                    there, wanted = f"the images of rendition {held[0]}", f"those of {rendition.name}"
                raise UsageError(
                    f"{directory} holds {there}, not {wanted}",
                    hint=_another(rendition, is_directory=directory == rendition.directory),
                )


def check_layout(db: sqlite3.Connection, renditions: Iterable[Rendition], layout: Layout) -> None:
    """Raises `UsageError` if files of one of `renditions` lie or are named otherwise than `layout` says.

    They would stay as they are, and new ones would come beside them.
    """
    plan = read_plan(db)
    wanted = {"prefix_dirs": layout.prefix_dirs, "name_files_by": layout.name_files_by.value}
    if all(plan.get(option) == value for option, value in wanted.items()):
        return
    for rendition in renditions:
        found = db.execute(
            "SELECT f.path FROM rendition AS r JOIN file AS f ON f.rendition = r.name "
            "WHERE r.name = ? AND r.directory = ? AND r.files > 0 LIMIT 1",
            (rendition.name, rendition.directory),
        ).fetchone()
        if found:
            _check_file(PurePath(found[0]), rendition, layout, plan.get("name_files_by"))


def _check_file(path: PurePath, rendition: Rendition, layout: Layout, names: Any) -> None:
    has_prefix = path.parent.name == path.stem[:_PREFIX_CHARACTERS]
    hint = f"leave it out, or {_another_directory(rendition)}"
    if has_prefix and not layout.prefix_dirs:
        raise UsageError(
            f"--no-prefix-dirs: the images in {rendition.directory} lie in directories of three characters",
            hint=f"{hint}; {command('export')} makes flat folders",
        )
    if not has_prefix and layout.prefix_dirs:
        raise UsageError(
            f"--prefix-dirs: the images in {rendition.directory} lie in one directory for each subset",
            hint=f"use --no-prefix-dirs, or {_another_directory(rendition)}",
        )
    if names not in (None, layout.name_files_by.value):
        raise UsageError(
            f"--name-files-by {layout.name_files_by.value}: the images in {rendition.directory} are named by {names}",
            hint=hint,
        )


def with_own_directory(db: sqlite3.Connection, settings: Settings) -> Settings:
    """`settings`, in which resized images go to a directory that has no others, where none was named for them.

    That is one which has files of their recipe, or the first of some names that has no files at all.
    """
    if settings.is_directory_given or not settings.renditions:
        return settings
    resized, *others = settings.renditions
    taken = {
        each for rendition in (*others, *settings.originals.kept) for each in (rendition.name, rendition.directory)
    }
    rows = db.execute(f"SELECT directory, {', '.join(_RECIPE[1:])} FROM rendition WHERE files > 0")
    known = {directory: tuple(recipe) for directory, *recipe in rows if directory not in taken}
    names = [resized.directory, *_names(resized)]
    there = [name for name in (*names, *known) if known.get(name) == _recipe(resized)[1:]]
    free = [name for name in names if name not in known and name not in taken]
    directory = (there + free + names)[0]
    return replace(settings, renditions=(replace(resized, name=directory, directory=directory), *others))


def _names(rendition: Rendition) -> Iterator[str]:
    """Directories for `rendition`, each more particular than the one before."""
    name = f"images-{rendition.box_size}"
    for part in (rendition.mode, rendition.format, f"q{rendition.quality}" if rendition.quality else "", "2", "3"):
        yield name
        name += f"-{part}".lower() if part else ""


def recipe_words(db: sqlite3.Connection, name: str) -> str:
    """How the files of the rendition `name` are made, in words."""
    row = db.execute(f"SELECT {', '.join(_RECIPE)} FROM rendition WHERE name = ?", (name,)).fetchone()
    return _words(row)


def _recipe(rendition: Rendition) -> tuple[Any, ...]:
    return tuple(getattr(rendition, name) for name in _RECIPE)


def _another(rendition: Rendition, *, is_directory: bool) -> str:
    """What to do where the directory or the name of `rendition` is taken."""
    if not is_directory:
        return f"give these another name than {rendition.name}"
    return _another_directory(rendition)


def _another_directory(rendition: Rendition) -> str:
    kind = "resized" if rendition.mode else "original"
    return (
        f"choose another directory for these, e.g. --{kind}-images-subdirectory images-{rendition.box_size or 'kept'}"
    )


def _words(recipe: Sequence[Any]) -> str:
    name, mode, box_size, image_format, quality, crop, orientation, background, force_rgb = recipe
    if mode is None:
        return f"{name} images as they came"
    special = [
        f"of quality {quality}" if quality is not None else "",
        f"with crop {crop}" if crop != Crop.CENTRE else "",
        f"with orientation {orientation}" if orientation != Orientation.EXIF else "",
        f"on #{background}" if background != "ffffff" else "",
        "always of three bands" if force_rgb else "",
    ]
    return " ".join([f"{mode} {box_size} px {image_format} images", *filter(None, special)])
