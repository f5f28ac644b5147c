"""The recipes of renditions: a directory and a name belong to one recipe and one layout, never to a mix."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from oidl.errors import StateError, UsageError
from oidl.hints import command
from oidl.model import Crop, Orientation, Rendition, ResizeMode, Scaling, StoreKind
from oidl.settings import Layout, Settings
from oidl.state.plan import read_plan

_PREFIX_CHARACTERS = 3
_RECIPE = (
    "name", "mode", "box_size", "format", "quality", "crop", "orientation", "background", "force_rgb", "scaling",
    "store",
)  # fmt: skip


def register(db: sqlite3.Connection, renditions: Sequence[Rendition]) -> None:
    """Records the recipe of each of `renditions`, inside the caller's transaction; raises like `check_recipes`."""
    check_recipes(db, renditions)
    for rendition in renditions:
        db.execute("DELETE FROM rendition WHERE directory = ? AND files = 0", (rendition.directory,))
        db.execute(
            f"INSERT INTO rendition (directory, {', '.join(_RECIPE)}) VALUES (?{', ?' * len(_RECIPE)}) "
            "ON CONFLICT (name) DO UPDATE SET directory = excluded.directory",
            (rendition.directory, *_recipe(rendition)),
        )


def resized_with_files(db: sqlite3.Connection, store: StoreKind) -> list[Rendition]:
    """The resized images in `store` that have files, those with most files first. Raises `StateError` for bad rows."""
    rows = db.execute(
        f"SELECT directory, {', '.join(_RECIPE)} FROM rendition "
        "WHERE files > 0 AND mode IS NOT NULL AND store = ? ORDER BY files DESC, name",
        (store,),
    ).fetchall()
    try:
        return [_rendition(*row) for row in rows]
    except ValueError as error:
        raise StateError(
            f"a rendition in the state database has {error}",
            hint="correct the table rendition, which was changed by hand or is damaged",
        ) from error


def _rendition(directory: str, *recipe: Any) -> Rendition:
    values = dict(zip(_RECIPE, recipe, strict=True))
    kinds: dict[str, Any] = {
        "mode": ResizeMode, "crop": Crop, "orientation": Orientation, "force_rgb": bool, "scaling": Scaling,
        "store": StoreKind,
    }  # fmt: skip
    return Rendition(directory=directory, **{key: kinds.get(key, lambda it: it)(each) for key, each in values.items()})


def check_recipes(db: sqlite3.Connection, renditions: Iterable[Rendition]) -> None:
    """Raises `UsageError` if the directory or name of one of `renditions` belongs to another recipe."""
    for rendition in renditions:
        recipe = _recipe(rendition)
        known = db.execute(
            f"SELECT directory, {', '.join(_RECIPE)} FROM rendition WHERE (directory = ? OR name = ?) AND files > 0",
            (rendition.directory, rendition.name),
        ).fetchall()
        for directory, *known_recipe in known:
            if tuple(known_recipe) != recipe:
                present, requested = _describe(known_recipe), _describe(recipe)
                if present == requested:
                    present, requested = f"the images of rendition {known_recipe[0]}", f"those of {rendition.name}"
                raise UsageError(
                    f"{directory} contains {present}, not {requested}",
                    hint=_another(rendition, is_directory=directory == rendition.directory),
                )


def check_layout(db: sqlite3.Connection, renditions: Iterable[Rendition], layout: Layout) -> None:
    """Raises `UsageError` if existing files of one of `renditions` have other directories or names than in `layout`.

    They would stay unchanged, and new files would be mixed with them.
    """
    plan = read_plan(db)
    requested = {"prefix_dirs": layout.prefix_dirs, "name_files_by": layout.name_files_by.value}
    if all(plan.get(option) == value for option, value in requested.items()):
        return
    for rendition in renditions:
        row = db.execute(
            "SELECT f.path FROM rendition AS r JOIN file AS f ON f.rendition = r.name "
            "WHERE r.name = ? AND r.directory = ? AND r.files > 0 AND r.store = ? LIMIT 1",
            (rendition.name, rendition.directory, StoreKind.FILES),
        ).fetchone()
        if row:
            _check_file(PurePath(row[0]), rendition, layout, plan.get("name_files_by"))


def _check_file(path: PurePath, rendition: Rendition, layout: Layout, names: Any) -> None:
    has_prefix = path.parent.name == path.stem[:_PREFIX_CHARACTERS]
    hint = f"leave it out, or {_another_directory(rendition)}"
    if has_prefix and not layout.prefix_dirs:
        raise UsageError(
            f"--no-prefix-dirs: the images in {rendition.directory} are in directories of three characters",
            hint=f"{hint}; use {command('export')} for flat folders",
        )
    if not has_prefix and layout.prefix_dirs:
        raise UsageError(
            f"--prefix-dirs: the images in {rendition.directory} are in one directory per subset",
            hint=f"use --no-prefix-dirs, or {_another_directory(rendition)}",
        )
    if names not in (None, layout.name_files_by.value):
        raise UsageError(
            f"--name-files-by {layout.name_files_by.value}: the images in {rendition.directory} are named by {names}",
            hint=hint,
        )


def with_own_directory(db: sqlite3.Connection, settings: Settings) -> Settings:
    """`settings` with a directory of their own for resized images, unless the user chose one.

    This is a directory with files of the same recipe, otherwise the first candidate without files.
    """
    if settings.is_directory_given or not settings.renditions:
        return settings
    resized, *others = settings.renditions
    used = {
        each
        for rendition in (*others, *settings.originals.original_renditions)
        for each in (rendition.name, rendition.directory)
    }
    rows = db.execute(f"SELECT directory, {', '.join(_RECIPE[1:])} FROM rendition WHERE files > 0")
    known = {directory: tuple(recipe) for directory, *recipe in rows if directory not in used}
    names = [resized.directory, *_names(resized)]
    matching = [name for name in (*names, *known) if known.get(name) == _recipe(resized)[1:]]
    free = [name for name in names if name not in known and name not in used]
    directory = (matching + free + names)[0]
    return replace(settings, renditions=(replace(resized, name=directory, directory=directory), *others))


def _names(rendition: Rendition) -> Iterator[str]:
    """Candidate directories for `rendition`, each more specific than the one before."""
    name = f"images-{rendition.box_size}"
    store = rendition.store if rendition.store is not StoreKind.FILES else ""
    quality = f"q{rendition.quality}" if rendition.quality else ""
    for part in (store, rendition.mode, rendition.format, quality, "2", "3"):
        yield name
        name += f"-{part}".lower() if part else ""


def recipe_words(db: sqlite3.Connection, name: str) -> str:
    """The recipe of the rendition `name` as text."""
    row = db.execute(f"SELECT {', '.join(_RECIPE)} FROM rendition WHERE name = ?", (name,)).fetchone()
    return _describe(row)


def _recipe(rendition: Rendition) -> tuple[Any, ...]:
    return tuple(getattr(rendition, name) for name in _RECIPE)


def _another(rendition: Rendition, *, is_directory: bool) -> str:
    """The hint if the directory or the name of `rendition` belongs to another recipe."""
    if not is_directory:
        return f"choose another name than {rendition.name}"
    return _another_directory(rendition)


def _another_directory(rendition: Rendition) -> str:
    kind = "resized" if rendition.mode else "original"
    return (
        f"choose another directory for these, e.g. --{kind}-images-subdirectory images-{rendition.box_size or 'kept'}"
    )


def _describe(recipe: Sequence[Any]) -> str:
    name, mode, box_size, image_format, quality, crop, orientation, background, force_rgb, scaling, store = recipe
    shards = f" in {store} shards" if store != StoreKind.FILES else ""
    if mode is None:
        return f"unchanged {name} images{shards}"
    special = [
        f"of quality {quality}" if quality is not None else "",
        f"with crop {crop}" if crop != Crop.CENTRE else "",
        f"with orientation {orientation}" if orientation != Orientation.EXIF else "",
        f"on #{background}" if background != "ffffff" else "",
        "always with three channels" if force_rgb else "",
        f"with {scaling} scaling" if scaling != Scaling.FAITHFUL else "",
    ]
    return " ".join([f"{mode} {box_size} px {image_format} images{shards}", *filter(None, special)])
