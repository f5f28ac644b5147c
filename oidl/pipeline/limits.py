"""When a run is to stop by itself: time, bytes, room on the disk, or everything failing in one way.

Looked at once a second. What is in hand is finished and recorded, and a later
run goes on.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import trio

from oidl.model import Failure, Reason
from oidl.pipeline.stop import Stop
from oidl.progress.meter import RECENT, Meter
from oidl.progress.words import duration, size
from oidl.settings import Limits
from oidl.storage.space import filesystems, free_bytes

_LOOK_S = 1.0

_DIAGNOSES = {
    Reason.DNS: "names are not resolved; is the network up, does its DNS answer?",
    Reason.CONNECTION: "connections are refused or break; is the server up, is there a firewall, does the proxy work?",
    Reason.TIMEOUT: "nothing arrives in time; is the network up, is the server blocked from here?",
    Reason.TOO_SLOW: "the network is too slow for so many connections; lower --max-total-connections",
    Reason.TLS: "certificates are refused; name your proxy's in SSL_CERT_FILE if it opens TLS",
    Reason.RATE_LIMITED: "the server wants fewer requests; wait a while, then lower --max-host-connections",
    Reason.FORBIDDEN: "the server refuses this address; wait, or come from another network",
    Reason.NOT_AN_IMAGE: "pages come instead of pictures; does the network want a login, does a proxy step in?",
    Reason.SIZE_MISMATCH: "other files come than were published; is it the right list, does a proxy change pictures?",
    Reason.MD5_MISMATCH: "other files come than were published; is it the right list, does a proxy change pictures?",
}
_UNEXPLAINED = "images go one by one, not all alike; look at `oidl status` before you run it again"


async def watch_limits(
    limits: Limits,
    directories: Iterable[Path],
    meter: Meter,
    stop: Stop,
    free: Callable[[Path], int] = free_bytes,
) -> None:
    """Asks `stop` to drain at the first limit that is reached, and returns; runs until then or until cancelled."""
    places = list(filesystems(directories).values())
    while True:
        if failure := too_full(limits, places, free):
            stop.disk_is_full(failure)
            return
        if reached := _reached(limits, meter):
            stop.limit_reached(reached)
            return
        await trio.sleep(_LOOK_S)


def too_full(limits: Limits, places: Iterable[Path], free: Callable[[Path], int] = free_bytes) -> Failure | None:
    """The failure of the first of `places` with less than the least room that is to stay free."""
    for place in places:
        if (left := free(place)) < limits.min_free_bytes:
            return Failure(
                Reason.DISK,
                f"{size(left)} are free at {place}, less than the {size(limits.min_free_bytes)} of --min-free",
                hint="free some space there, or lower --min-free; then run it again",
            )
    return None


def _reached(limits: Limits, meter: Meter) -> str | None:
    now = meter.statistics()
    if limits.duration_s is not None and now.elapsed_s >= limits.duration_s:
        return f"{duration(limits.duration_s)} are over (--max-duration)"
    if limits.bytes_read is not None and now.bytes_read >= limits.bytes_read:
        return f"{size(now.bytes_read)} are downloaded (--max-bytes)"
    reason, count = meter.commonest_failure()
    if reason and count >= limits.failure_rate * RECENT:
        diagnosis = _DIAGNOSES.get(reason, _UNEXPLAINED)
        return f"{count} of the last {RECENT} tries failed alike, {reason} (--max-failure-rate): {diagnosis}"
    return None
