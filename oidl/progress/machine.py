"""A run for machines: an object of JSON a second, or a text file of metrics as Prometheus reads it. Text is made here.

The keys and the names of metrics are a public interface, which
`oidl help json` lists. Where `oidl status --json` has a key too, it means the same.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime

from oidl.model import Status
from oidl.progress.statistics import Failed, Statistics, Success

_FAILURES = (Status.FAILED, Status.RETRY)


def json_line(now: Statistics, before: Statistics | None, at: datetime) -> str:
    """One line of JSON; `successes` and `failures` are those since `before`, the last hundred of them at most."""
    done, tries = (before.done, before.failed + before.retried) if before else (0, 0)
    by_status = now.by_status
    return json.dumps(
        {
            "time": _iso(at),
            "outcome": now.outcome,
            "elapsed_s": round(now.elapsed_s, 3),
            "total": now.total,
            **{status.value: by_status[status] for status in Status},
            "settled_percent": round(100 * now.settled_share, 4),
            "by_subset": now.by_subset,
            "by_reason": {reason: sum(row.values()) for reason, row in now.failures.items()},
            "images_per_s": round(now.images_per_s, 3),
            "read_bytes_per_s": round(now.read_bytes_per_s),
            "written_bytes_per_s": round(now.written_bytes_per_s),
            "eta_s": None if now.eta_s is None else round(now.eta_s, 1),
            "run": {
                "done": now.done,
                "failed": now.failed,
                "retried": now.retried,
                "by_reason": now.by_reason,
                "remaining": now.remaining,
                "in_flight": now.in_flight,
                "bytes_read": now.bytes_read,
                "bytes_written": now.bytes_written,
            },
            "reading": now.reading and asdict(now.reading),
            "downloads": [
                {
                    "image_id": each.image_id,
                    "subset": each.subset,
                    "host": each.host,
                    "url": each.url,
                    "received_bytes": each.received_bytes,
                    "expected_bytes": each.expected_bytes,
                    "percent": None if each.share is None else round(100 * each.share, 1),
                    "elapsed_s": round(each.elapsed_s, 3),
                }
                for each in now.transfers
            ],
            "resizes": [
                {"image_id": each.image_id, "subset": each.subset, "elapsed_s": round(each.elapsed_s, 3)}
                for each in now.processing
            ],
            "paces": [
                {
                    "provider": pace.provider,
                    "window": pace.window,
                    "rate": pace.rate,
                    "learned_rate": pace.learned_rate,
                    "pause_s": round(pace.pause_s, 1),
                    "pause_reason": pace.pause_reason or None,
                }
                for pace in now.paces
            ],
            "successes": [_success(each) for each in now.successes[: now.done - done]],
            "failures": [_failed(each) for each in now.failed_tries[: now.failed + now.retried - tries]],
        },
        ensure_ascii=False,
    )


def _success(each: Success) -> dict[str, object]:
    return {
        "time": _iso(datetime.fromtimestamp(each.finished_at, UTC)),
        "image_id": each.image_id,
        "subset": each.subset,
        "url": each.url,
        "bytes": each.bytes,
        "width": each.width,
        "height": each.height,
        "files": {file.rendition: file.path for file in each.files},
        "transfer_s": each.transfer_s and round(each.transfer_s, 3),
        "process_s": each.process_s and round(each.process_s, 3),
    }


def _failed(each: Failed) -> dict[str, object]:
    return {
        "time": _iso(datetime.fromtimestamp(each.at, UTC)),
        "image_id": each.image_id,
        "subset": each.subset,
        "status": each.status,
        "reason": each.reason,
        "detail": each.detail,
        "http_status": each.http_status,
        "url": each.url,
    }


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def metrics_text(now: Statistics, at: datetime) -> str:
    """All numbers in Prometheus' text format, version 0.0.4."""
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
        "Selected images that failed for good (failed) or wait to be tried again (retry), by reason.",
        [
            ({"reason": reason, "status": status}, row[status])
            for reason, row in now.failures.items()
            for status in _FAILURES
        ],
    )
    yield metric(
        "run_tries_total",
        "counter",
        "Images that this run finished, and tries that are to be made again (retry).",
        [({"status": "done"}, now.done), ({"status": "failed"}, now.failed), ({"status": "retry"}, now.retried)],
    )
    yield metric("read_bytes_total", "counter", "Bytes that this run read from the network.", one(now.bytes_read))
    yield metric(
        "written_bytes_total", "counter", "Bytes of the image files that this run made.", one(now.bytes_written)
    )
    yield metric("images_per_second", "gauge", "Images settled, over the last 20 s.", one(now.images_per_s))
    yield metric("read_bytes_per_second", "gauge", "Bytes read, over the last 20 s.", one(now.read_bytes_per_s))
    yield metric(
        "written_bytes_per_second", "gauge", "Bytes written, over the last 20 s.", one(now.written_bytes_per_s)
    )
    yield metric("remaining_images", "gauge", "Images that this run is to settle yet.", one(now.remaining))
    yield metric("eta_seconds", "gauge", "Time left at the present rate; absent if nothing moves.", one(now.eta_s))
    yield metric("in_flight_images", "gauge", "Images in hand, at any stage.", one(now.in_flight))
    yield metric("downloads_in_progress", "gauge", "Downloads in progress.", one(len(now.transfers)))
    yield metric("resizes_in_progress", "gauge", "Images that are verified and resized.", one(len(now.processing)))
    yield metric(
        "pace_window",
        "gauge",
        "Requests in flight at most, by provider.",
        [({"provider": pace.provider}, pace.window) for pace in now.paces],
    )
    yield metric(
        "pace_rate",
        "gauge",
        "Requests per second at most, by provider; absent where there is no limit.",
        [({"provider": pace.provider}, pace.rate) for pace in now.paces],
    )
    yield metric(
        "pace_pause_seconds",
        "gauge",
        "How long a provider is still left alone.",
        [({"provider": pace.provider}, pace.pause_s) for pace in now.paces],
    )
    yield metric("run_elapsed_seconds", "gauge", "How long this run has gone on.", one(now.elapsed_s))
    yield metric("updated_timestamp_seconds", "gauge", "When this was written.", one(at.timestamp()))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
