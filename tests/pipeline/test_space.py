"""A run that cannot fit does not start: a low estimate from the list, compared with the free space."""

from dataclasses import replace
from pathlib import Path

import pytest
from builders import LIST, THUMB, image

from oidl.dataset.catalogue import find_version, read_catalogue
from oidl.errors import DiskError
from oidl.model import Source
from oidl.pipeline.selection import ImageSelection
from oidl.pipeline.space import check_space
from oidl.settings import Layout, Limits, NetworkSettings, Retries, Selection, Settings, SourceSettings
from oidl.state.estimate import mean_original_bytes
from oidl.state.load import load_list

SIZE = 2_000_000
V7 = find_version(read_catalogue(None), None)
COUNT = 50


@pytest.fixture
def loaded(db):
    images = [image(number, original_size=SIZE, subset="train" if number < 40 else "test") for number in range(COUNT)]
    load_list(db, LIST, ("train", "test"), images)
    return db


def _settings(root: Path, *, save: bool = False, source: Source = Source.ORIGINAL, **changes: object) -> Settings:
    settings = Settings(
        root_dir=root,
        state_db=root / "oidl.sqlite3",
        dataset_version="3",
        catalogue=None,
        images_csv=None,
        selection=Selection(),
        layout=Layout(root, "2017_11"),
        originals=SourceSettings((source,), save=save),
        renditions=(THUMB,),
        transfers=NetworkSettings(),
        retries=Retries(),
        limits=Limits(min_free_bytes=1000),
    )
    return replace(settings, **changes)


def _each(settings: Settings) -> dict[str, int]:
    """A file of each rendition for every image."""
    return {rendition.name: COUNT for rendition in settings.required}


def _needed(loaded, settings: Settings) -> int:
    """The least room with which the run begins."""
    low, high = 0, 10**12
    while low < high:
        middle = (low + high) // 2
        try:
            check_space(loaded, settings, V7, _each(settings), lambda _, room=middle: room)
            high = middle
        except DiskError:
            low = middle + 1
    return low


def test_originals_take_their_published_sizes(loaded, tmp_path: Path) -> None:
    thumbs = _needed(loaded, _settings(tmp_path))
    with_originals = _needed(loaded, _settings(tmp_path, save=True))
    assert with_originals - thumbs == pytest.approx(0.8 * COUNT * SIZE, rel=0.01)
    assert thumbs < COUNT * 64 * 64


@pytest.mark.parametrize("source", [Source.THUMBNAIL_300K, Source("cvdf")])
def test_smaller_copies_do_not_count_as_originals(source: Source, loaded, tmp_path: Path) -> None:
    saved = _needed(loaded, _settings(tmp_path, save=True, source=source))
    assert saved < 0.2 * COUNT * SIZE


def test_files_that_are_there_say_how_large_the_next_will_be(loaded, tmp_path: Path) -> None:
    loaded.execute(
        "INSERT INTO rendition (name, directory, format, files, bytes) VALUES ('thumbs', 'thumbs', 'jpg', 100, 900000)"
    )
    assert _needed(loaded, _settings(tmp_path)) == pytest.approx(0.8 * COUNT * 9000 + 1000, abs=2)


def test_the_message_names_the_place_and_what_to_do(loaded, tmp_path: Path) -> None:
    settings = _settings(tmp_path, save=True)
    message = rf"50 images would take about 80\.\d MB at {tmp_path}, but only 5\.0 MB"
    with pytest.raises(DiskError, match=message) as caught:
        check_space(loaded, settings, V7, _each(settings), lambda _: 5_001_000)
    assert "--no-check-space" in str(caught.value)


@pytest.mark.parametrize("always_download", [False, True])
def test_files_that_are_replaced_take_no_more_room(loaded, tmp_path: Path, always_download: bool) -> None:
    loaded.execute("UPDATE download SET status = 'done' WHERE image_id < ?", (image(10).image_id,))
    loaded.execute("INSERT INTO rendition (name, directory, format) VALUES ('thumbs', 'thumbs', 'jpg')")
    loaded.execute(
        "INSERT INTO file (image_id, rendition, path, bytes, width, height, written_at) "
        "SELECT image_id, 'thumbs', image_id, 1, 1, 1, '' FROM download WHERE status = 'done'"
    )
    settings = _settings(tmp_path, originals=SourceSettings(always_download=always_download))
    selected = ImageSelection(settings, loaded)
    assert selected.left() == (COUNT if always_download else COUNT - 10)
    assert selected.new_files() == {"thumbs": COUNT - 10}


def test_originals_that_are_there_do_not_count_for_another_rendition(loaded, tmp_path: Path) -> None:
    small = replace(THUMB, name="small", directory="small")
    settings = _settings(tmp_path, save=True, renditions=(THUMB, small))
    loaded.execute("UPDATE download SET status = 'done'")
    for name in ("original", "thumbs"):
        loaded.execute("INSERT INTO rendition (name, directory, format) VALUES (?, ?, 'jpg')", (name, name))
        loaded.execute(
            "INSERT INTO file (image_id, rendition, path, bytes, width, height, written_at) "
            "SELECT image_id, ?, image_id, 1, 1, 1, '' FROM download",
            (name,),
        )
    selected = ImageSelection(settings, loaded)
    assert selected.left() == COUNT
    files = selected.new_files()
    assert files == {"original": 0, "thumbs": 0, "small": COUNT}
    check_space(loaded, settings, V7, files, lambda _: 1_000_000)


def test_with_nothing_to_write_there_is_room(loaded, tmp_path: Path) -> None:
    check_space(loaded, _settings(tmp_path), V7, {"thumbs": 0}, lambda _: 0)


def test_the_mean_is_of_the_chosen_subsets(db) -> None:
    rows = [image(number, original_size=10, subset="train") for number in range(30)]
    rows += [image(30 + number, original_size=70, subset="test") for number in range(10)]
    load_list(db, LIST, ("train", "test"), rows)
    assert mean_original_bytes(db) == 25
    assert mean_original_bytes(db, ("test",)) == 70


def test_the_mean_is_of_a_subset_that_is_every_other_row_or_a_single_one(db) -> None:
    subsets = ("train", "test")
    rows = [image(number, original_size=1 + number % 2, subset=subsets[number % 2]) for number in range(40)]
    rows += [image(40, original_size=7, subset="validation")]
    load_list(db, LIST, (*subsets, "validation"), rows)
    assert mean_original_bytes(db, ("train",), sample_size=5) == 1
    assert mean_original_bytes(db, ("test",), sample_size=5) == 2
    assert mean_original_bytes(db, ("validation",), sample_size=5) == 7


def test_the_mean_is_not_that_of_every_other_row(db) -> None:
    load_list(db, LIST, ("train",), [image(number, original_size=100 + 200 * (number % 2)) for number in range(400)])
    assert mean_original_bytes(db, sample_size=50) == pytest.approx(200, rel=0.1)


def test_the_mean_of_nothing_is_nothing(db) -> None:
    assert mean_original_bytes(db) == 0


def test_a_long_list_is_sampled_all_over(db) -> None:
    rows = (image(number, original_size=100 if number < 20_000 else 300) for number in range(40_000))
    load_list(db, LIST, ("train",), rows)
    assert mean_original_bytes(db) == pytest.approx(200, rel=0.01)
