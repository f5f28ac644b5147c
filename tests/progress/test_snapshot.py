"""A run as JSON: all keys are there, and nothing is sent twice."""

import json

from builders import job
from metered import AT, DONE, metered_run

from oidl.model import Status
from oidl.progress.snapshot import run_snapshot


def test_a_snapshot_has_every_number() -> None:
    meter = metered_run()
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
            "downloads": 1,
            "resizes": 1,
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
                "node": None,
            }
        ],
        "resizes": [{"image_id": job(5).image_id, "subset": "train", "elapsed_s": 0.0, "node": None}],
        "paces": [
            {
                "provider": "flickr",
                "node": None,
                "window": 8,
                "rate": None,
                "learned_rate": 40.0,
                "pause_s": 2.0,
                "pause_reason": "too many requests",
            }
        ],
        "nodes": [],
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
    meter = metered_run()
    before = meter.statistics()
    meter.recorded(job(4), DONE, Status.DONE)
    meter.ended("finished")
    told = run_snapshot(meter.statistics(), AT, before)
    assert [each["image_id"] for each in told["successes"]] == [job(4).image_id]
    assert told["failures"] == []
    assert told["outcome"] == "finished"
