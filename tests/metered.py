"""A meter of a run under way, for the tests of what is made of its numbers."""

from datetime import UTC, datetime

from builders import job

from oidl.model import Done, Failure, Reason, Source, Status, StatusCount, WrittenFile
from oidl.net.body import Body
from oidl.net.pace import PaceState
from oidl.progress.meter import Meter

AT = datetime(2026, 11, 24, 20, 0, 0, 123456, tzinfo=UTC)
DONE = Done(Source.ORIGINAL, "u", 500, "m", 4, 3, (WrittenFile("thumbs", "train/x.jpg", 40, 2, 1),))
TIMEOUT = Failure(Reason.TIMEOUT, "no byte in time", url="http://x/1.jpg")


def metered_run() -> Meter:
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
