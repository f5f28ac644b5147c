"""The snapshots of the page: all of a run's snapshot, and what a database knows of it."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from builders import image, job

from oidl.model import Done, Failure, Reason, Source, Status, StatusCount, WrittenFile
from oidl.net.body import Body
from oidl.net.pace import PaceState
from oidl.progress.meter import Meter
from oidl.progress.snapshot import run_snapshot
from oidl.progress.statistics import Second
from oidl.reasons import meaning
from oidl.report.snapshot import database_snapshot
from oidl.state.counts import NOTHING_YET, Counts, PaceRow, RunRow
from oidl.state.file_annotations import Box
from oidl.state.image_lookup import Details, DoneImage, FailedAttempt, ImageSummary, OutputFile
from oidl.state.plan_counts import PlanCounts
from oidl.web.images import details_json, display_file, placing_of, summary_json
from oidl.web.snapshot import database_page, in_a_line, run_page

CARD = ImageSummary(
    image(1).image_id,
    "train",
    Status.DONE,
    None,
    640,
    480,
    "Ridge &gt; valley &amp; back",
    "O&#x27;Hill",
    "https://www.flickr.com/people/x/",
    "https://creativecommons.org/licenses/by/2.0/",
    "https://www.flickr.com/photos/x/1",
    files=(
        OutputFile("tiles", "t/1.tif", 10, 8, 8),
        OutputFile("a/b c", "b/1.JPG", 50, 64, 48),
        OutputFile("original", "o.jpg", 99, 640, 480),
    ),
)


@pytest.fixture
def meter() -> Meter:
    """After five seconds: one image done, one failed, one to retry, one half here and one resized."""
    now = [0.0]
    meter = Meter(lambda: now[0], remaining=8, time_of_day=lambda: 1e9)
    meter.paced_by(lambda: (PaceState("flickr", 8, None, 0.0),))
    meter.set_baseline([StatusCount("train", Status.PENDING, None, 9), StatusCount("test", Status.DONE, None, 3)])
    for number in range(1, 6):
        meter.started(job(number))
        body = Body(10.0)
        meter.requested(job(number), f"https://c{number}.staticflickr.com/x.jpg", body)
        if number == 4:
            body.total = 1000
            body.add(b"x" * 250)
            continue
        now[0] += 0.25
        meter.fetched(job(number))
        meter.read(5000)
    meter.processing(job(1))
    now[0] += 0.5
    meter.processed(job(1))
    done = Done(
        Source.ORIGINAL, "https://c1.staticflickr.com/x.jpg", 5000, "m", 640, 480, (WrittenFile("t", "p", 700, 8, 6),)
    )
    meter.recorded(job(1), done, Status.DONE)
    meter.recorded(job(2), Failure(Reason.GONE, "x" * 1000, 410, url="https://c2.staticflickr.com/"), Status.FAILED)
    meter.recorded(job(3), Failure(Reason.TIMEOUT), Status.RETRY)
    meter.processing(job(5))
    now[0] = 5.0
    return meter


AT = datetime(2030, 1, 1, 10, 1, 41, tzinfo=UTC)
ONLY_THE_PAGES = {"source", "is_running", "means", "history", "reasons"}


def test_the_page_of_a_run_is_its_snapshot_and_what_only_the_page_shows(meter: Meter) -> None:
    statistics = meter.statistics()
    now = run_page(statistics, AT)
    snapshot = run_snapshot(statistics, AT)
    assert {name: now[name] for name in snapshot} == snapshot
    assert now.keys() - snapshot.keys() == ONLY_THE_PAGES
    assert (now["source"], now["is_running"], now["means"]) == ("run", True, None)
    assert now["reasons"] == [
        {"reason": "gone", "meaning": meaning("gone"), "failed": 1, "retry": 0},
        {"reason": "timeout", "meaning": meaning("timeout"), "failed": 0, "retry": 1},
    ]
    assert now["history"] == {name: list(values) for name, values in zip(
        ("images", "read", "written"), zip(*statistics.history, strict=True), strict=True
    )}  # fmt: skip
    assert json.loads(in_a_line(now)).keys() == now.keys()


def test_of_a_run_that_has_ended_the_means_are_sent(meter: Meter) -> None:
    meter.ended("finished")
    now = run_page(meter.statistics(), AT)
    assert (now["outcome"], now["is_running"]) == ("finished", False)
    assert now["means"] == {
        "images_per_s": pytest.approx(2 / 5),
        "read_bytes_per_s": pytest.approx(4000),
        "written_bytes_per_s": pytest.approx(140),
    }


def test_a_card_says_whose_picture_it_is_in_plain_text() -> None:
    card = summary_json(CARD)
    assert (card["title"], card["author"]) == ("Ridge > valley & back", "O'Hill")
    assert (card["license"], card["license_name"]) == (CARD.license, "CC BY 2.0")
    assert card["landing_url"] == CARD.original_landing_url
    assert card["picture"] == f"/picture/{CARD.image_id}/a%2Fb%20c"
    assert (card["width"], card["height"]) == (64, 48)


def test_nothing_on_a_card_turns_the_text() -> None:
    card = summary_json(
        replace(CARD, title="a&#x202e;b", author="c\u202ed", license="\x9b", author_profile_url="\u2067")
    )
    assert (card["title"], card["author"]) == ("a�b", "c�d")
    assert (card["license"], card["license_name"], card["author_url"]) == ("�", "�", "�")


def test_without_a_file_that_browsers_show_there_is_no_picture() -> None:
    bare = replace(CARD, files=CARD.files[:1])
    assert display_file(bare) is None
    assert summary_json(bare)["picture"] is None


DONE = DoneImage(
    CARD.image_id, "train", "https://c1.staticflickr.com/x.jpg", 5000, 640, 480, 0.25, "1970-01-01T00:00:02Z"
)
RUN = RunRow(7, "2030-01-01T10:00:00.000Z", "2030-01-01T10:01:40.000Z", None, None, 90, 10, 5000, 2.0, 100.0)
COUNTS = Counts(
    "3",
    {"train": {Status.PENDING: 60, Status.RETRY: 20, Status.DONE: 15, Status.FAILED: 5}},
    {"gone": {Status.PENDING: 0, Status.RETRY: 20, Status.DONE: 0, Status.FAILED: 5}},
    0,
    {},
    None,
    RUN,
)


TRY = FailedAttempt(
    CARD.image_id, "train", Status.RETRY, "timeout", None, None, "https://me:secret@x/1.jpg", "2030-01-01"
)


def page_of(counts: Counts, *, is_running: bool = False, worked: RunRow | None = None) -> dict[str, Any]:
    return database_page(counts, AT, [Second(2, 100, 40)], [DONE], [TRY], is_running=is_running, worked=worked)


def test_the_page_of_a_database_has_the_keys_of_a_runs_page(meter: Meter) -> None:
    database = replace(COUNTS, paces=(PaceRow("flickr", 1, None, None, None, ""),))
    run, resting = run_page(meter.statistics(), AT), page_of(database, is_running=True)
    assert run.keys() <= resting.keys()
    assert resting.keys() - run.keys() == database_snapshot(COUNTS, AT, is_running=True).keys() - run.keys()
    assert run["successes"][0].keys() == resting["successes"][0].keys()
    assert run["failures"][0].keys() == resting["failures"][0].keys()
    assert run["reasons"][0].keys() == resting["reasons"][0].keys()
    assert run["history"].keys() == resting["history"].keys()
    assert run["paces"][0].keys() <= resting["paces"][0].keys()
    assert (resting["downloads"], resting["resizes"], resting["reading"]) == (None, None, None)
    assert resting["failures"][0]["url"] == "https://x/1.jpg"


def test_while_another_process_runs_the_rates_are_those_that_it_records() -> None:
    now = page_of(COUNTS, is_running=True, worked=RUN)
    assert (now["outcome"], now["elapsed_s"], now["eta_s"], now["means"]) == (None, 100.0, 40.0, None)
    assert (now["images_per_s"], now["read_bytes_per_s"], now["written_bytes_per_s"]) == (2.0, 100, 40)


def test_without_a_run_at_work_the_means_of_the_last_are_sent() -> None:
    now = page_of(COUNTS, worked=RUN)
    assert now["means"] == {"images_per_s": 1.0, "read_bytes_per_s": 50.0, "written_bytes_per_s": None}
    assert (now["outcome"], now["elapsed_s"], now["eta_s"], now["written_bytes_per_s"]) == ("killed", 100.0, None, None)
    assert page_of(replace(COUNTS, run=replace(RUN, outcome="finished")))["outcome"] == "finished"
    assert page_of(COUNTS)["means"] is None


def test_of_a_run_whose_clock_was_set_back_no_means_are_sent() -> None:
    assert page_of(COUNTS, worked=replace(RUN, finished_at="1970-01-01T00:00:00.000Z"))["means"] is None


def test_where_the_plan_chooses_images_it_is_their_numbers_that_count() -> None:
    by_status = {Status.PENDING: 70, Status.RETRY: 5, Status.DONE: 20, Status.FAILED: 3}
    reasons = {"gone": {Status.PENDING: 0, Status.RETRY: 5, Status.DONE: 0, Status.FAILED: 3}}

    def numbers(**limits: int) -> list[int]:
        now = page_of(replace(COUNTS, plan=PlanCounts(by_status, reasons, **limits)))
        assert [(row["failed"], row["retry"]) for row in now["reasons"]] == [(3, 5)]
        return [now[name] for name in ("total", "pending", "retry", "done", "failed")]

    assert numbers() == [98, 70, 5, 20, 3]
    assert numbers(limit=20) == [23, 0, 0, 20, 3]
    assert numbers(limit_per_class=10, classes=2, full_classes=2) == [23, 0, 0, 20, 3]


def test_before_the_first_run_there_is_none() -> None:
    now = page_of(NOTHING_YET)
    assert [now[name] for name in ("outcome", "run", "elapsed_s", "means", "total")] == [None, None, None, None, 0]


# ---- boxes

BOX = Box(CARD.image_id, "/m/cat", "xclick", 1.0, 0.25, 0.5, 0.1, 0.3, 0, 0, 0, 0, 0)
PLAIN = OutputFile("original", "o.jpg", 99, 640, 480)


def boxes_in(file: OutputFile, *boxes: Box) -> list[tuple[float, float, float, float]]:
    details = Details(
        replace(CARD, files=(file,)), "u", 1, {}, (), boxes or (BOX,), class_names={"/m/cat": "Cat &amp; co"}
    )
    (found,) = details_json(details)["files"]
    assert {box["name"] for box in found["boxes"]} <= {"Cat & co"}
    return [
        tuple(round(box[side], 4) for side in ("left", "top", "width", "height"))  # type: ignore[misc]
        for box in found["boxes"]
    ]


def test_a_box_lies_as_published_in_an_original() -> None:
    assert boxes_in(PLAIN) == [(0.25, 0.1, 0.25, 0.2)]


def test_a_box_is_turned_as_a_browser_turns_the_file() -> None:
    # Stored lying on its side, and upright (480 by 640) where EXIF is obeyed: what was on the left is at the top.
    assert boxes_in(replace(PLAIN, exif_orientation=6)) == [(0.7, 0.25, 0.2, 0.25)]


def test_a_box_moves_along_with_a_rendition_that_was_turned_scaled_and_cut() -> None:
    # 640 by 480, turned to 480 by 640, made 120 by 160, of which the 120 by 120 in the middle are left.
    square = OutputFile("square", "s.jpg", 9, 120, 120, 6, 120, 160, 0, 20)
    assert boxes_in(square) == [(0.7, round((0.25 * 160 - 20) / 120, 4), 0.2, round(0.25 * 160 / 120, 4))]
    above = BOX._replace(x_min=0.0, x_max=0.1)
    assert boxes_in(square, above) == []


def test_a_file_of_which_it_is_not_known_how_it_was_made_has_no_boxes() -> None:
    assert placing_of(OutputFile("thumbs", "t.jpg", 9, 64, 64)) is None
    assert boxes_in(OutputFile("thumbs", "t.jpg", 9, 64, 64)) == []
