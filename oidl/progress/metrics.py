"""A run as a text file of metrics for Prometheus. Pure.

The names of the metrics are a public interface, which `oidl help json` lists.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from oidl.model import Status
from oidl.net.pace import PaceState
from oidl.progress.statistics import Statistics

_FAILURES = (Status.FAILED, Status.RETRY)


def metrics_text(now: Statistics, at: datetime) -> str:
    """All numbers in the text format of Prometheus, version 0.0.4."""
    return "".join(_metrics(now, at))


_Samples = Iterable[tuple[Mapping[str, str], float | None]]


def _metrics(now: Statistics, at: datetime) -> Iterator[str]:
    def metric(name: str, kind: str, meaning: str, samples: _Samples) -> str:
        lines = [f"# HELP oidl_{name} {meaning}\n# TYPE oidl_{name} {kind}\n"]
        for labels, value in samples:
            if value is not None:
                pairs = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
                lines.append(f"oidl_{name}{f'{{{pairs}}}' if pairs else ''} {value}\n")
        return "".join(lines)

    def one(value: float | None) -> _Samples:
        return [({}, value)]

    yield metric(
        "images",
        "gauge",
        "Selected images by subset and status.",
        [
            ({"subset": subset, "status": status}, row[status])
            for subset, row in now.by_subset.items()
            for status in Status
        ],
    )
    yield metric(
        "failures",
        "gauge",
        "Selected images that failed for good (failed) or will be retried (retry), by reason.",
        [
            ({"reason": reason, "status": status}, row[status])
            for reason, row in now.failures.items()
            for status in _FAILURES
        ],
    )
    yield metric(
        "run_tries_total",
        "counter",
        "Images that this run finished, and failed tries that will be repeated (retry).",
        [({"status": "done"}, now.done), ({"status": "failed"}, now.failed), ({"status": "retry"}, now.retried)],
    )
    yield metric("read_bytes_total", "counter", "Bytes that this run read from the network.", one(now.bytes_read))
    yield metric(
        "written_bytes_total", "counter", "Bytes of the image files that this run wrote.", one(now.bytes_written)
    )
    yield metric("images_per_second", "gauge", "Images settled, over the last 20 s.", one(now.images_per_s))
    yield metric("read_bytes_per_second", "gauge", "Bytes read, over the last 20 s.", one(now.read_bytes_per_s))
    yield metric(
        "written_bytes_per_second", "gauge", "Bytes written, over the last 20 s.", one(now.written_bytes_per_s)
    )
    yield metric("remaining_images", "gauge", "Images that this run has yet to settle.", one(now.remaining))
    yield metric("eta_seconds", "gauge", "Time left at the present rate; absent if unknown.", one(now.eta_s))
    yield metric("in_flight_images", "gauge", "Images in flight, at any stage.", one(now.in_flight))
    yield metric("downloads_in_progress", "gauge", "Downloads in progress.", one(now.downloads))
    yield metric("resizes_in_progress", "gauge", "Images being verified and resized.", one(now.resizes))
    yield metric(
        "pace_window",
        "gauge",
        "Maximum requests in flight, by provider.",
        [(_labels(pace), pace.window) for pace in now.paces],
    )
    yield metric(
        "pace_rate",
        "gauge",
        "Maximum requests per second, by provider; absent if there is no limit.",
        [(_labels(pace), pace.rate) for pace in now.paces],
    )
    yield metric(
        "pace_pause_seconds",
        "gauge",
        "How long a provider will still be paused.",
        [(_labels(pace), pace.pause_s) for pace in now.paces],
    )
    yield metric("run_elapsed_seconds", "gauge", "How long this run has been active.", one(now.elapsed_s))
    yield metric("updated_timestamp_seconds", "gauge", "When this was written.", one(at.timestamp()))


def _labels(pace: PaceState) -> dict[str, str]:
    """The provider, and the host of nodes on a cluster, without which there would be several samples for a provider."""
    return {"provider": pace.provider, **({"node": pace.node} if pace.node else {})}


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
