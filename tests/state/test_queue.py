"""The remaining images: each once, in order, by index, and only their missing renditions."""

from datetime import UTC, datetime, timedelta

import pytest
from builders import THUMB, image, job

from oidl.model import (
    ORIGINAL,
    Done,
    Failure,
    Reason,
    Rendition,
    RetryDecision,
    Source,
    Status,
    StatusCount,
    WrittenFile,
)
from oidl.settings import Selection
from oidl.state.connection import StateConnection
from oidl.state.forecast import Demand, forecast_all
from oidl.state.ledger import Ledger
from oidl.state.queue import Queue
from oidl.state.selection import SelectedImages, select_images

NOW = datetime.now(UTC)
SAVED = Rendition(ORIGINAL, "images-original")
TIMEOUT = Failure(Reason.TIMEOUT, "no byte in time")


def queue(reader: StateConnection, *wanted: Rendition, **changes: object) -> Queue:
    settings: dict[str, object] = {"run_id": 1, "max_tries": 3, "uncounted": (Reason.RATE_LIMITED,)}
    return Queue(reader, wanted or (THUMB,), **(settings | changes))  # type: ignore[arg-type]


@pytest.fixture
def ledger(loaded_db: StateConnection) -> Ledger:
    ledger = Ledger(loaded_db)
    ledger.register([THUMB, SAVED])
    ledger.open_run({})
    return ledger


def done(*renditions: str, source: Source = Source.ORIGINAL) -> Done:
    files = tuple(WrittenFile(name, f"somewhere/{name}.jpg", 10, 4, 3) for name in renditions)
    return Done(source, "https://x/y.jpg", 1000, "1B2M2Y8AsgTpgAmY7PhCfg==", 8, 6, files)


def test_pages_cover_everything_once_in_order(reader: StateConnection) -> None:
    found, after = [], ""
    while page := queue(reader).pending(after, 5):
        found += [item.image_id for item in page]
        after = page[-1].image_id
    assert found == [image(number).image_id for number in range(12)]


@pytest.mark.parametrize(
    ("published", "degrees"), [("90.0", 90), ("270", 270), ("-90.0", 270), ("", 0), ("٩٠", 0), ("9_0", 0), ("nan", 0)]
)
def test_a_rotation_is_a_number_in_ascii(
    published: str, degrees: int, reader: StateConnection, ledger: Ledger, loaded_db: StateConnection
) -> None:
    loaded_db.execute("UPDATE image SET rotation = ?", (published,))
    assert {job.rotation for job in queue(reader).pending("", 99)} == {degrees}


def test_a_subset_or_selected_images_narrow_it(reader: StateConnection) -> None:
    assert [item.subset for item in queue(reader, subsets=("test",)).pending("", 99)] == ["test", "test"]
    named = [image(3).image_id, image(10).image_id, "f" * 16]
    selected = select_images(reader, Selection(), named)
    assert selected == SelectedImages(2, 1, ("f" * 16,))
    narrowed = queue(reader, selected=selected)
    assert [item.image_id for item in narrowed.pending("", 99)] == named[:2]
    assert [item.image_id for item in narrowed.pending(named[0], 99)] == named[1:2]


def test_what_is_done_is_not_handed_out_again(reader: StateConnection, ledger: Ledger) -> None:
    ledger.done(job(1), done(THUMB.name))
    assert image(1).image_id not in [item.image_id for item in queue(reader).pending("", 99)]
    assert queue(reader).incomplete("", 99) == []


def test_a_new_rendition_is_all_that_a_finished_image_lacks(reader: StateConnection, ledger: Ledger) -> None:
    ledger.done(job(1), done(THUMB.name, ORIGINAL))
    larger = Rendition("larger", "larger", THUMB.mode, 640, "jpg")
    (item,) = queue(reader, THUMB, larger, SAVED).incomplete("", 99)
    assert (item.image_id, item.missing_renditions, item.saved_original) == (
        image(1).image_id,
        (larger,),
        "somewhere/original.jpg",
    )


@pytest.mark.parametrize(("is_local", "saved"), [(1, "v7/original/train-000000.tar#512"), (0, None)])
def test_an_original_that_is_only_in_an_object_store_cannot_be_used_and_is_not_made_again(
    is_local: int, saved: str | None, reader: StateConnection, loaded_db: StateConnection, ledger: Ledger
) -> None:
    loaded_db.execute(
        "INSERT INTO shard_set VALUES (1, 'run', 'v7/original', 'webdataset', 'original', '{}', '', NULL)"
    )
    loaded_db.execute(
        "INSERT INTO shard (shard_id, set_id, split, number, path, state, is_local) "
        "VALUES (1, 1, 'train', 0, 'v7/original/train-000000.tar', 'sealed', ?)",
        (is_local,),
    )
    file = WrittenFile(ORIGINAL, "v7/original/train-000000.tar#512", 500, 8, 6)
    ledger.done(job(1), Done(Source.ORIGINAL, "https://x", 500, "md5", 8, 6, (file,)))
    (item,) = queue(reader, THUMB, SAVED).incomplete("", 99)
    assert (item.missing_renditions, item.saved_original) == ((THUMB,), saved)
    forecast = forecast_all(reader, (), Demand((THUMB, SAVED), (ORIGINAL,), can_use_local=True))
    assert forecast["train"].local == is_local


def test_done_images_come_again_when_that_is_asked(reader: StateConnection, ledger: Ledger) -> None:
    ledger.done(job(1), done(THUMB.name))
    later = datetime.now(UTC) + timedelta(seconds=5)
    (item,) = queue(reader, again_before=later).incomplete("", 99)
    assert item.missing_renditions == (THUMB,)
    assert queue(reader, again_before=NOW - timedelta(days=1)).incomplete("", 99) == []


def test_retries_come_when_they_are_due(reader: StateConnection, ledger: Ledger) -> None:
    ledger.failed(job(1), TIMEOUT, RetryDecision(Status.RETRY, NOW + timedelta(seconds=60)))
    ledger.failed(job(2), TIMEOUT, RetryDecision(Status.RETRY, NOW - timedelta(seconds=1)))
    ledger.failed(job(3), TIMEOUT, RetryDecision(Status.FAILED))
    assert [item.image_id for item in queue(reader).due(NOW, 99, already_tried=True)] == [image(2).image_id]
    assert queue(reader).due(NOW, 99, already_tried=False) == []
    assert queue(reader).retries()[0] == 2


def test_an_earlier_runs_retries_are_new_to_this_one(reader: StateConnection, ledger: Ledger) -> None:
    ledger.failed(job(2), TIMEOUT, RetryDecision(Status.RETRY, NOW - timedelta(seconds=1)))
    next_run = queue(reader, run_id=2)
    assert [item.image_id for item in next_run.due(NOW, 99, already_tried=False)] == [image(2).image_id]
    assert next_run.due(NOW, 99, already_tried=True) == []
    assert next_run.retries(already_tried=True) == (1, None)


def test_an_image_has_so_many_tries_in_a_run_but_any_number_of_pauses(reader: StateConnection, ledger: Ledger) -> None:
    due = RetryDecision(Status.RETRY, NOW - timedelta(seconds=1))
    for _ in range(9):
        ledger.failed(job(1), Failure(Reason.RATE_LIMITED), due)
    for tries_left in (True, True, False):
        ledger.failed(job(1), TIMEOUT, due)
        assert bool(queue(reader).due(NOW, 99, already_tried=True)) is tries_left
    assert queue(reader).retries() == (1, None)


def test_every_query_of_the_feed_walks_an_index(reader: StateConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[str] = []

    class Explaining:
        path = reader.path

        def execute(self, query: str, values: object = ()) -> object:
            if query.lstrip().startswith("SELECT"):
                plans.extend(row[3] for row in reader.execute(f"EXPLAIN QUERY PLAN {query}", values))  # type: ignore[arg-type]
            return reader.execute(query, values)  # type: ignore[arg-type]

        def executemany(self, query: str, values: object) -> object:
            return reader.executemany(query, values)  # type: ignore[arg-type]

    selected = select_images(reader, Selection(), [image(1).image_id])
    for narrowed in ({}, {"subsets": ("train",)}, {"selected": selected}, {"selected": SelectedImages(10**6)}):
        explained = queue(Explaining(), **narrowed)  # type: ignore[arg-type]
        explained.pending("", 5)
        explained.incomplete("", 5)
        explained.due(NOW, 5, already_tried=True)
        explained.due(NOW, 5, already_tried=False)
        explained.retries()
    assert plans
    scans = [plan for plan in plans if plan.startswith("SCAN") and "json_each" not in plan]
    # The few selected ones are walked in key order; so is a list of retries, by its own small index.
    assert all("selected" in plan or "SCAN c" in plan or "download_due" in plan for plan in scans), scans
    sorts = [plan for plan in plans if "TEMP B-TREE" in plan]
    assert len(sorts) <= 2, sorts  # only the due ones among the selected


# ---- how all of them stand


def test_what_is_selected_is_counted_by_where_it_stands(reader: StateConnection, ledger: Ledger) -> None:
    ledger.done(job(1), done(THUMB.name))
    ledger.failed(job(2), Failure(Reason.GONE), RetryDecision(Status.FAILED))
    ledger.failed(job(10, subset="test"), TIMEOUT, RetryDecision(Status.RETRY, NOW))
    train = [
        StatusCount("train", Status.DONE, None, 1),
        StatusCount("train", Status.FAILED, Reason.GONE, 1),
        StatusCount("train", Status.PENDING, None, 8),
    ]
    test = [StatusCount("test", Status.PENDING, None, 1), StatusCount("test", Status.RETRY, Reason.TIMEOUT, 1)]
    assert sorted(queue(reader).status_counts()) == sorted(test + train)
    assert sorted(queue(reader, subsets=("test",)).status_counts()) == test
    named = [image(2).image_id, image(3).image_id, image(10).image_id, "f" * 16]
    selected = queue(reader, selected=select_images(reader, Selection(), named))
    assert sorted(selected.status_counts()) == [
        StatusCount("test", Status.RETRY, Reason.TIMEOUT, 1),
        StatusCount("train", Status.FAILED, Reason.GONE, 1),
        StatusCount("train", Status.PENDING, None, 1),
    ]


def test_an_image_comes_with_where_it_stands(reader: StateConnection, ledger: Ledger) -> None:
    ledger.failed(job(2), TIMEOUT, RetryDecision(Status.RETRY, NOW))
    [due] = queue(reader, run_id=2).due(NOW, 9, already_tried=False)
    assert (due.status, due.reason) == (Status.RETRY, Reason.TIMEOUT)
    assert {(item.status, item.reason) for item in queue(reader).pending("", 99)} == {(Status.PENDING, None)}


def test_of_images_kept_as_they_came_any_will_do(reader: StateConnection, ledger: Ledger) -> None:
    ledger.register([Rendition("cvdf", "images-original-cvdf")])
    ledger.done(job(1), done("cvdf", source=Source("cvdf")))
    ledger.done(job(2), done("cvdf", "thumbs", source=Source("cvdf")))
    ledger.done(job(3), done("thumbs"))

    def missing_renditions(*original_names: str) -> dict[int, tuple[str, ...]]:
        found = queue(reader, SAVED, THUMB, original_names=original_names).incomplete("", 10)
        return {
            int(item.image_id, 16): tuple(rendition.name for rendition in item.missing_renditions) for item in found
        }

    assert missing_renditions("original", "cvdf") == {1: ("thumbs",), 3: ("original",)}
    assert missing_renditions("original") == {1: ("original", "thumbs"), 2: ("original",), 3: ("original",)}
