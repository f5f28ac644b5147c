"""A forecast without and with lists: from the catalogue's counts and sizes, and exactly from the database."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import LIST, THUMB, image

from oidl.dataset.catalogue import find_version, read_catalogue
from oidl.dataset.published import Version
from oidl.forecast import FilesToFetch, Forecast, Share
from oidl.model import Extent, FileKind, LabelType, Rendition, Source
from oidl.pipeline.forecast import make_forecast
from oidl.settings import Layout, Limits, NetworkSettings, Retries, Selection, Settings, SourceSettings
from oidl.state.connection import StateConnection
from oidl.state.database import open_empty
from oidl.state.load import load_list
from oidl.state.renditions import register

KEPT = SourceSettings(save=True).original_renditions


@pytest.fixture
def version() -> Version:
    return find_version(read_catalogue(None), "7")


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[StateConnection]:
    with closing(open_empty(tmp_path / "no such directory/none.sqlite3")) as db:
        yield db


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        root_dir=tmp_path,
        state_db=tmp_path / "oidl.sqlite3",
        dataset_version="7",
        catalogue=None,
        images_csv=None,
        selection=Selection(subsets=("validation",)),
        layout=Layout(tmp_path, "v7"),
        originals=SourceSettings(),
        renditions=(THUMB,),
        transfers=NetworkSettings(),
        retries=Retries(),
        limits=Limits(min_free_bytes=0),
    )


def test_without_a_list_the_catalogue_knows(settings: Settings, version: Version, empty: StateConnection) -> None:
    found = make_forecast(empty, settings, version)
    assert found.subsets == {"validation": Share(41_620, 41_620 * 2_000_000)}
    assert (found.is_exact, found.is_most, found.learned_pace) == (False, False, None)
    assert found.lists == FilesToFetch("their list", 15_245_485)
    kinds = {each.name: each for each in found.annotations}
    assert list(kinds) == ["boxes", "labels", "relationships", "segmentations", "points", "classes"]
    assert kinds["boxes"] == FilesToFetch("boxes", 25_105_048)
    assert kinds["points"] == FilesToFetch("points", 0, unknown=1)
    assert not kinds["classes"].is_exact
    assert list(settings.root_dir.iterdir()) == []


def test_the_subsets_and_the_extent_count(settings: Settings, version: Version, empty: StateConnection) -> None:
    every = replace(settings, selection=Selection(), image_list=Extent.BOXABLE)
    found = make_forecast(empty, every, version)
    assert {subset: share and share.images for subset, share in found.subsets.items()} == {
        "train": 1_743_042,
        "validation": 41_620,
        "test": 125_436,
    }
    assert found.lists == FilesToFetch("their lists", 638_407_721 + 15_245_485 + 45_227_339)


@pytest.mark.parametrize(("source", "each"), [(Source.THUMBNAIL_300K, 60_000), (Source("cvdf"), 300_000)])
def test_smaller_copies_are_fewer_bytes(
    source: Source, each: int, settings: Settings, version: Version, empty: StateConnection
) -> None:
    found = make_forecast(empty, replace(settings, originals=SourceSettings((source,))), version)
    assert found.bytes == 41_620 * each


@pytest.mark.parametrize(
    ("selection", "images"),
    [
        (Selection(limit=200), 200),
        (Selection(limit=10**9), 9_178_275),
        (Selection(limit=0), 0),
        (Selection(shuffle=True, limit=3), 3),
        (Selection(classes=("Cat", "Dog"), label_types=(LabelType.BOXES,), limit_per_class=30), 60),
        (Selection(classes=("Cat", "Dog"), label_types=(LabelType.BOXES,), limit_per_class=30, limit=9), 9),
        (Selection(where="original_size > 1"), 9_178_275),
    ],
)
def test_limits_bound_it(
    selection: Selection, images: int, settings: Settings, version: Version, empty: StateConnection
) -> None:
    found = make_forecast(empty, replace(settings, selection=selection), version)
    assert found.images == images
    assert found.is_most is bool(selection.label_types or selection.where)


def test_named_images_are_at_most_as_many(settings: Settings, version: Version, empty: StateConnection) -> None:
    ids = settings.root_dir / "ids.txt"
    ids.write_text("".join(f"{number:016x}\n" for number in range(7)))
    found = make_forecast(empty, replace(settings, selection=Selection(image_ids=ids)), version)
    assert (found.images, found.is_most) == (7, True)
    assert [each.name for each in found.annotations] == ["boxes", "classes"]


def test_what_is_not_downloaded_is_not_counted(settings: Settings, version: Version, empty: StateConnection) -> None:
    neither = replace(settings, download_images=False, download_metadata=False)
    assert make_forecast(empty, neither, version).is_nothing
    masks = replace(settings, download_images=False, annotations=(FileKind.MASKS,))
    found = make_forecast(empty, masks, version)
    assert (found.images, found.lists) == (0, None)
    assert found.annotations[0] == FilesToFetch("masks", 57_563_535)
    assert sum(room.needed for room in found.rooms) == found.file_bytes


def test_of_a_list_that_the_catalogue_does_not_have_nothing_is_known(
    settings: Settings, version: Version, empty: StateConnection
) -> None:
    found = make_forecast(empty, replace(settings, images_csv="https://example.org/mine.csv"), version)
    assert (found.images, found.bytes, found.seconds) == (None, None, None)
    assert found.lists == FilesToFetch("their list", 0, unknown=1)


@pytest.fixture
def loaded(db: StateConnection) -> StateConnection:
    """Ten images of `test`, of 1,000 bytes each."""
    load_list(db, LIST, ("test",), [image(number, original_size=1000, subset="test") for number in range(10)])
    return db


def _of_list(settings: Settings, **changes: Any) -> tuple[Settings, Version]:
    """Settings and a version that ask for the list in `loaded`, and one of the same list for other subsets."""
    version = find_version(read_catalogue(None), LIST.dataset_version)
    named = replace(settings, dataset_version=version.name, images_csv=LIST.source, download_metadata=False)
    return replace(named, selection=Selection(subsets=("test",)), **changes), version


def _done(db: StateConnection, numbers: range, *renditions: Rendition) -> None:
    register(db, renditions)
    ids = [image(number).image_id for number in numbers]
    db.executemany("UPDATE download SET status = 'done' WHERE image_id = ?", [(each,) for each in ids])
    for name in (rendition.name for rendition in renditions):
        db.executemany(
            "INSERT INTO file (image_id, rendition, path, bytes, width, height, written_at) "
            "VALUES (?, ?, ?, 1, 1, 1, '')",
            [(each, name, f"{name}/{each[:3]}/{each}.jpg") for each in ids],
        )


@pytest.mark.parametrize("where", [None, "original_size > 0"], ids=["list", "selection"])
def test_with_a_list_the_database_knows(where: str | None, settings: Settings, loaded: StateConnection) -> None:
    asked, version = _of_list(settings)
    asked = replace(asked, selection=replace(asked.selection, where=where))

    def found(**changes: Any) -> Forecast:
        return make_forecast(loaded, replace(asked, **changes), version)

    assert found().subsets == {"test": Share(10, 10_000)}
    assert found().is_exact is (where is not None)
    _done(loaded, range(4), *KEPT, THUMB)
    assert found().subsets == {"test": Share(6, 6_000)}
    small = replace(THUMB, name="small", directory="small")
    assert found(renditions=(THUMB, small)).subsets == {"test": Share(10, 6_000, local=4, again=4)}
    again = found(originals=SourceSettings(always_download=True))
    assert (again.images, again.local, again.bytes) == (10, 0, 10_000)


def test_files_that_are_there_need_no_more_room(settings: Settings, loaded: StateConnection) -> None:
    asked, version = _of_list(settings)
    small = replace(THUMB, name="small", directory="small")
    _done(loaded, range(10), *KEPT, THUMB)
    kept = SourceSettings(save=True)
    (room,) = make_forecast(loaded, replace(asked, originals=kept, renditions=(THUMB, small)), version).rooms
    assert THUMB.box_size
    assert room.needed == 10 * THUMB.box_size**2 // 5
