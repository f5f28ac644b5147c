"""A run as JSON: all keys are there, and nothing is sent twice."""

import json
from datetime import UTC, datetime

from builders import job

from oidl.model import Done, Failure, Reason, Source, Status, StatusCount, WrittenFile
from oidl.net.body import Body
from oidl.net.pace import PaceState
from oidl.progress.meter import Meter
from oidl.progress.snapshot import run_snapshot

AT = datetime(2026, 11, 24, 20, 0, 0, 123456, tzinfo=UTC)
DONE = Done(Source.ORIGINAL, "u", 500, "m", 4, 3, (WrittenFile("thumbs", "train/x.jpg", 40, 2, 1),))
TIMEOUT = Failure(Reason.TIMEOUT, "no byte in time", url="http://x/1.jpg")


def run() -> Meter:
    """Two seconds of a run of eight images: one done, one failed, one to be retried, two in flight."""
    times = iter([0.0, *[1.0] * 100])
    meter = Meter(lambda: next(times), remaining=8, time_of_day=lambda: 1e9)
    meter.set_baseline([StatusCount("train", Status.PENDING, None, 7), StatusCount("test", Status.DONE, None, 1)])
    meter.paced_by(lambda: (PaceState("flickr", 8, None, 2.04, 40.0, "too many requests"),))
    meter.read(3000)
    meter.recorded(job(1), DONE, Status.DONE)
    meter.recorded(job(2), Failure(Reason.GONE, http_status=410), Status.FAILED)
    meter.recorded(job(3), TIMEOUT, Status.RETRY)
    meter.started(job(4, original_size=400))
    body = Body(1.0)
    meter.requested(job(4), job(4).original_url, body)
    body.total = 400
    body.add(bytes(100))
    meter.started(job(5))
    meter.processing(job(5))
    return meter


def test_a_snapshot_has_every_number() -> None:
    meter = run()
    with meter.reading("boxes.csv", 80) as reading:
        reading.count_bytes = lambda: 12
        now = run_snapshot(meter.statistics(), AT)
    assert run_snapshot(meter.statistics(), AT)["reading"] is None
    assert json.loads(json.dumps(now)) == {
        "time": "2026-11-24T20:00:00.123Z",
        "outcome": None,
        "elapsed_s": 1.0,
        "total": 8,
        "pending": 4,
        "retry": 1,
        "done": 2,
        "failed": 1,
        "settled_percent": 37.5,
        "by_subset": {
            "train": {"pending": 4, "retry": 1, "done": 1, "failed": 1},
            "test": {"pending": 0, "retry": 0, "done": 1, "failed": 0},
        },
        "by_reason": {"gone": 1, "timeout": 1},
        "images_per_s": 2.0,
        "read_bytes_per_s": 3000,
        "written_bytes_per_s": 40,
        "eta_s": 3.0,
        "run": {
            "done": 1,
            "failed": 1,
            "retried": 1,
            "by_reason": {"gone": 1},
            "remaining": 6,
            "in_flight": 2,
            "bytes_read": 3000,
            "bytes_written": 40,
        },
        "reading": {"name": "boxes.csv", "rows": None, "is_indexing": False, "bytes": 12, "expected_bytes": 80},
        "downloads": [
            {
                "image_id": job(4).image_id,
                "subset": "train",
                "host": "c1.staticflickr.com",
                "url": job(4).original_url,
                "received_bytes": 100,
                "expected_bytes": 400,
                "percent": 25.0,
                "elapsed_s": 0.0,
            }
        ],
        "resizes": [{"image_id": job(5).image_id, "subset": "train", "elapsed_s": 0.0}],
        "paces": [
            {
                "provider": "flickr",
                "window": 8,
                "rate": None,
                "learned_rate": 40.0,
                "pause_s": 2.0,
                "pause_reason": "too many requests",
            }
        ],
        "successes": [
            {
                "time": "2001-09-09T01:46:40.000Z",
                "image_id": job(1).image_id,
                "subset": "train",
                "url": "u",
                "bytes": 500,
                "width": 4,
                "height": 3,
                "files": {"thumbs": "train/x.jpg"},
                "transfer_s": None,
                "process_s": None,
            }
        ],
        "failures": [
            {
                "time": "2001-09-09T01:46:40.000Z",
                "image_id": job(3).image_id,
                "subset": "train",
                "status": "retry",
                "reason": "timeout",
                "detail": "no byte in time",
                "http_status": None,
                "url": "http://x/1.jpg",
            },
            {
                "time": "2001-09-09T01:46:40.000Z",
                "image_id": job(2).image_id,
                "subset": "train",
                "status": "failed",
                "reason": "gone",
                "detail": "",
                "http_status": 410,
                "url": None,
            },
        ],
    }


def test_what_was_told_once_is_not_told_again() -> None:
    meter = run()
    before = meter.statistics()
    meter.recorded(job(4), DONE, Status.DONE)
    meter.ended("finished")
    told = run_snapshot(meter.statistics(), AT, before)
    assert [each["image_id"] for each in told["successes"]] == [job(4).image_id]
    assert told["failures"] == []
    assert told["outcome"] == "finished"
