"""A snapshot as a browser gets it: every number of the run, and what a database alone can tell."""

import json
from dataclasses import replace

import pytest
from conftest import image, work

from oidl.model import Done, Failure, Reason, Source, Standing, Status, WrittenFile
from oidl.net.body import Body
from oidl.progress.meter import Meter
from oidl.progress.statistics import Second
from oidl.state.counts import NOTHING_YET, Counts, RunFacts
from oidl.state.gallery import Card, Details, DoneImage, OutputFile
from oidl.state.labelled import Box
from oidl.state.plan_counts import PlanCounts
from oidl.web.images import details_json, display_file, placing_of, summary_json
from oidl.web.snapshot import database_snapshot, run_snapshot

CARD = Card(
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
    (
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
    meter.stands([Standing("train", Status.PENDING, None, 9), Standing("test", Status.DONE, None, 3)])
    for number in range(1, 6):
        meter.started(work(number))
        body = Body(10.0)
        meter.requested(work(number), f"https://c{number}.staticflickr.com/x.jpg", body)
        if number == 4:
            body.total = 1000
            body.add(b"x" * 250)
            continue
        now[0] += 0.25
        meter.fetched(work(number))
        meter.read(5000)
    meter.processing(work(1))
    now[0] += 0.5
    meter.processed(work(1))
    done = Done(
        Source.ORIGINAL, "https://c1.staticflickr.com/x.jpg", 5000, "m", 640, 480, (WrittenFile("t", "p", 700, 8, 6),)
    )
    meter.recorded(work(1), done, Status.DONE)
    meter.recorded(work(2), Failure(Reason.GONE, "x" * 1000, 410, url="https://c2.staticflickr.com/"), Status.FAILED)
    meter.recorded(work(3), Failure(Reason.TIMEOUT), Status.RETRY)
    meter.processing(work(5))
    now[0] = 5.0
    return meter


def test_a_snapshot_of_a_run_has_every_number_of_the_run(meter: Meter) -> None:
    statistics = meter.statistics()
    now = run_snapshot(statistics)
    assert (now["source"], now["outcome"]) == ("run", None)
    assert now["rates"] == {
        "images_per_s": pytest.approx(0.4),
        "read_bytes_per_s": pytest.approx(4000),
        "written_bytes_per_s": pytest.approx(140),
        "are_means": False,
    }
    assert now["by_status"] == {"pending": 6, "retry": 1, "done": 4, "failed": 1}
    assert now["total"] == 12
    assert now["by_subset"]["test"] == {"pending": 0, "retry": 0, "done": 3, "failed": 0}
    assert [(row["reason"], row["failed"], row["retry"]) for row in now["by_reason"]] == [
        ("gone", 1, 0),
        ("timeout", 0, 1),
    ]
    assert now["run"] == {
        "elapsed_s": 5.0,
        "done": 1,
        "failed": 1,
        "retried": 1,
        "bytes_read": 20_000,
        "bytes_written": 700,
        "eta_s": statistics.eta_s,
    }
    (half,) = now["downloads"]
    assert half == {
        "id": image(4).image_id,
        "host": "c4.staticflickr.com",
        "received": 250,
        "expected": 1000,
        "share": 0.25,
        "elapsed_s": 4.25,
    }
    assert [resize["id"] for resize in now["resizes"]] == [image(5).image_id]
    (success,) = now["successes"]
    assert (success["id"], success["host"], success["bytes"]) == (image(1).image_id, "c1.staticflickr.com", 5000)
    assert (success["transfer_s"], success["process_s"], success["at"]) == (0.25, 0.5, 1e9)
    assert [(failed["reason"], failed["status"]) for failed in now["failures"]] == [
        ("timeout", "retry"),
        ("gone", "failed"),
    ]
    assert len(now["failures"][1]["detail"]) == 300
    assert now["history"] == {name: list(values) for name, values in zip(
        ("images", "read", "written"), zip(*statistics.history, strict=True), strict=True
    )}  # fmt: skip
    meter.ended("finished")
    ended = run_snapshot(meter.statistics())
    assert ended["outcome"] == "finished"
    assert ended["rates"] == {
        "images_per_s": pytest.approx(2 / 5),
        "read_bytes_per_s": pytest.approx(4000),
        "written_bytes_per_s": pytest.approx(140),
        "are_means": True,
    }
    json.dumps(now)


def test_a_card_says_whose_picture_it_is_in_plain_text() -> None:
    card = summary_json(CARD)
    assert (card["title"], card["author"]) == ("Ridge > valley & back", "O'Hill")
    assert (card["license"], card["license_name"]) == (CARD.license, "CC BY 2.0")
    assert card["landing_url"] == CARD.original_landing_url
    assert card["picture"] == f"/picture/{CARD.image_id}/a%2Fb%20c"
    assert (card["width"], card["height"]) == (64, 48)


def test_without_a_file_that_browsers_show_there_is_no_picture() -> None:
    bare = replace(CARD, files=CARD.files[:1])
    assert display_file(bare) is None
    assert summary_json(bare)["picture"] is None


DONE = DoneImage(
    CARD.image_id, "train", "https://c1.staticflickr.com/x.jpg", 5000, 640, 480, 0.25, "1970-01-01T00:00:02Z"
)
RUN = RunFacts(7, "2030-01-01T10:00:00.000Z", "2030-01-01T10:01:40.000Z", None, None, 90, 10, 5000, 2.0, 100.0)
COUNTS = Counts(
    "3",
    {"train": {Status.PENDING: 60, Status.RETRY: 20, Status.DONE: 15, Status.FAILED: 5}},
    {"gone": {Status.PENDING: 0, Status.RETRY: 20, Status.DONE: 0, Status.FAILED: 5}},
    0,
    {},
    None,
    RUN,
)


def test_a_database_gives_a_snapshot_of_the_same_shape(meter: Meter) -> None:
    now = database_snapshot(COUNTS, [Second(2, 100, 40)], [DONE], [], [CARD], is_running=True)
    live = run_snapshot(meter.statistics())
    assert now.keys() == live.keys() | {"pictures"}
    assert now["rates"] == {
        "images_per_s": 2.0,
        "read_bytes_per_s": 100.0,
        "written_bytes_per_s": 40,
        "are_means": False,
    }
    assert (now["outcome"], now["run"]["elapsed_s"], now["run"]["eta_s"]) == (None, 100.0, 40.0)
    assert (now["downloads"], now["resizes"]) == (None, None)
    (success,) = now["successes"]
    assert success.keys() == live["successes"][0].keys()
    assert (success["id"], success["bytes"], success["process_s"], success["at"]) == (DONE.image_id, 5000, None, 2.0)


def test_of_a_run_that_is_over_its_means_are_told() -> None:
    now = database_snapshot(COUNTS, [Second(2, 100, 40)], [], [], [], is_running=False, worked=RUN)
    assert now["rates"] == {
        "images_per_s": 1.0,
        "read_bytes_per_s": 50.0,
        "written_bytes_per_s": None,
        "are_means": True,
    }
    assert (now["outcome"], now["run"]["eta_s"]) == ("killed", None)
    ended = replace(COUNTS, run=replace(RUN, outcome="finished"))
    assert database_snapshot(ended, [], [], [], [], is_running=False)["outcome"] == "finished"


def test_without_a_run_that_settled_anything_there_are_no_rates() -> None:
    assert database_snapshot(COUNTS, [], [], [], [], is_running=False)["rates"] is None


def test_where_the_plan_chooses_images_it_is_their_numbers_that_count() -> None:
    by_status = {Status.PENDING: 70, Status.RETRY: 5, Status.DONE: 20, Status.FAILED: 3}
    reasons = {"gone": {Status.PENDING: 0, Status.RETRY: 5, Status.DONE: 0, Status.FAILED: 3}}
    chosen = replace(COUNTS, plan=PlanCounts(by_status, reasons))
    now = database_snapshot(chosen, [], [], [], [], is_running=False)
    assert (now["total"], now["by_status"]) == (98, {"pending": 70, "retry": 5, "done": 20, "failed": 3})
    assert [(row["failed"], row["retry"]) for row in now["by_reason"]] == [(3, 5)]
    assert now["plan"] == "20 of 98 chosen images are done, 3 failed, 75 left"
    met = replace(COUNTS, plan=PlanCounts(by_status, reasons, limit=20))
    now = database_snapshot(met, [], [], [], [], is_running=False)
    assert (now["total"], now["by_status"]) == (23, {"pending": 0, "retry": 0, "done": 20, "failed": 3})
    assert now["plan"] == "20 of 20 images are done"
    per_class = PlanCounts(by_status, reasons, limit_per_class=10, classes=2, full_classes=2)
    assert database_snapshot(replace(COUNTS, plan=per_class), [], [], [], [], is_running=False)["total"] == 23


def test_before_the_first_run_there_is_none() -> None:
    now = database_snapshot(NOTHING_YET, [], [], [], [], is_running=False)
    assert (now["outcome"], now["run"], now["rates"], now["total"]) == ("none yet", None, None, 0)


# ---- boxes

BOX = Box(CARD.image_id, "/m/cat", "xclick", 1.0, 0.25, 0.5, 0.1, 0.3, 0, 0, 0, 0, 0)
PLAIN = OutputFile("original", "o.jpg", 99, 640, 480)


def boxes_in(file: OutputFile, *boxes: Box) -> list[tuple[float, float, float, float]]:
    details = Details(replace(CARD, files=(file,)), "u", 1, {}, (), boxes or (BOX,), (), {"/m/cat": "Cat &amp; co"})
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
