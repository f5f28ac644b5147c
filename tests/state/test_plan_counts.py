"""The counts of a plan: updated with each outcome, and equal to a full count."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from builders import THUMB, image, job

from oidl.model import (
    Done,
    Failure,
    LabelType,
    Postponed,
    Reason,
    Rendition,
    RetryDecision,
    Source,
    Status,
    StatusCount,
    WrittenFile,
)
from oidl.settings import Selection
from oidl.state.complete import count_by_class
from oidl.state.connection import StateConnection
from oidl.state.counts import read_counts
from oidl.state.ledger import Ledger
from oidl.state.plan_counts import PlanCounts, images_left, read_plan_counts
from oidl.state.queue import Queue
from oidl.state.selection import select_images

OTHER = Rendition("other", "other", THUMB.mode, 32, "jpg")
NOW = datetime.now(UTC)


def done(*names: str) -> Done:
    return Done(
        Source.ORIGINAL, "u", 5, "m", 8, 6, tuple(WrittenFile(name, f"{name}/x.jpg", 5, 8, 6) for name in names)
    )


@pytest.fixture
def ledger(loaded_db: StateConnection) -> Ledger:
    ledger = Ledger(loaded_db)
    ledger.register([THUMB, OTHER])
    ledger.open_run({})
    rows = [
        (image(number).image_id, place, name) for place, (number, name) in enumerate([(1, "a"), (2, "a"), (2, "b")])
    ]
    loaded_db.executemany(
        "INSERT INTO box (image_id, row_number, source, label_name, confidence, "
        "x_min, x_max, y_min, y_max, is_group_of) "
        "VALUES (?, ?, 'xclick', ?, 1, 0.1, 0.9, 0.1, 0.9, 0)",
        rows,
    )
    return ledger


@pytest.mark.parametrize("seed", range(12))
def test_the_counts_that_are_kept_are_those_that_are_counted(
    seed: int, reader: StateConnection, loaded_db: StateConnection, ledger: Ledger
) -> None:
    rng = random.Random(seed)
    selected = select_images(reader, Selection(where="original_size < 1008"))
    one = Queue(reader, (THUMB,), run_id=1, max_tries=9, selected=selected)
    for item in one.pending("", 3):
        ledger.done(item, done(THUMB.name))
    queue = Queue(reader, (THUMB, OTHER), run_id=1, max_tries=9, selected=selected)
    ledger.plan({"where": "original_size < 1008"})
    ledger.plan_counts(queue.plan_status_counts(), {})
    for _ in range(30):
        jobs = [
            *queue.pending("", 2),
            *queue.incomplete("", 2),
            *queue.due(NOW + timedelta(days=1), 2, already_tried=True),
            *queue.due(NOW + timedelta(days=1), 2, already_tried=False),
        ]
        if not jobs:
            break
        item = rng.choice(jobs)
        match rng.randrange(4):
            case 0:
                ledger.done(item, done(*(rendition.name for rendition in item.missing_renditions)))
            case 1:
                ledger.failed(item, Failure(rng.choice([Reason.GONE, Reason.DNS])), RetryDecision(Status.FAILED))
            case 2:
                ledger.failed(item, Failure(rng.choice([Reason.TIMEOUT, Reason.DNS])), RetryDecision(Status.RETRY, NOW))
            case _:
                ledger.postponed(item, Postponed(Reason.CONNECTION, "", 1.0), NOW)
        counted = {(each.status, each.reason or ""): each.images for each in queue.plan_status_counts()}
        kept = loaded_db.execute("SELECT status, reason, images FROM plan_status_count WHERE images > 0").fetchall()
        assert {(status, reason): images for status, reason, images in kept} == counted


def test_classes_are_counted_as_images_are_done(reader: StateConnection, ledger: Ledger) -> None:
    selection = Selection(classes=("a", "b"), label_types=(LabelType.BOXES,), limit_per_class=2)
    queue = Queue(reader, (THUMB,), run_id=1, max_tries=9, selected=select_images(reader, selection))
    ledger.plan({"classes": ["a", "b"], "limit_per_class": 2})
    ledger.plan_counts(queue.plan_status_counts(), count_by_class(reader, (THUMB,), ()))
    for item in queue.pending("", 2):
        ledger.done(item, done(THUMB.name))
    found = read_plan_counts(reader)
    assert found is not None
    assert (found.classes, found.full_classes, found.short) == (2, 1, {"b": 1})
    more = replace(found, by_status={**found.by_status, Status.PENDING: 3})
    assert (more.left, replace(more, full_classes=2).left) == (3, 0)
    ledger.plan_counts([StatusCount("", Status.PENDING, None, 3)], {})
    assert images_left(reader) == 0, "it is not known how many of them are needed"


def test_what_is_left_is_of_the_plan(reader: StateConnection, ledger: Ledger) -> None:
    assert images_left(reader) == 12
    ledger.done(job(1), done(THUMB.name))
    ledger.failed(job(2), Failure(Reason.GONE), RetryDecision(Status.FAILED))
    ledger.failed(job(3), Failure(Reason.TIMEOUT), RetryDecision(Status.RETRY, NOW))
    assert images_left(reader) == 10
    ledger.plan({"subset": ["test"]})
    assert images_left(reader) == 2
    ledger.plan({"subset": ["test", "train"]})
    assert images_left(reader) == 10
    ledger.plan({"where": "true"})
    assert images_left(reader) == 0, "no run has counted them"
    ledger.plan_counts([StatusCount("", Status.PENDING, None, 3), StatusCount("", Status.RETRY, "dns", 1)], {})
    assert images_left(reader) == 4


def test_another_plan_forgets_them_and_the_same_one_does_not(reader: StateConnection, ledger: Ledger) -> None:
    queue = Queue(reader, (THUMB,), run_id=1, max_tries=9, selected=select_images(reader, Selection(where="true")))
    ledger.plan({"where": "true"})
    ledger.plan_counts(queue.plan_status_counts(), {})
    ledger.plan({"where": "true"})
    assert read_counts(reader).plan == PlanCounts(dict.fromkeys(Status, 0) | {Status.PENDING: 12})
    ledger.plan({})
    assert read_counts(reader).plan is None


def test_subsets_alone_are_read_off_the_tally(reader: StateConnection, ledger: Ledger) -> None:
    ledger.plan({"subset": ["test"]})
    found = read_plan_counts(reader)
    assert found is not None
    assert found.images == 2
    ledger.plan({"subset": ["test", "train"]})
    assert read_plan_counts(reader) is None
