"""The report: one HTML file that contains all its plots and needs nothing else. Pure.

Everything from the database or from a server is escaped; there is no script.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from importlib.resources import files
from itertools import pairwise

from oidl.model import Status
from oidl.progress.format import duration, size
from oidl.reasons import meaning
from oidl.report.describe import license_name, share
from oidl.report.html import NOTHING, bar_cell, cell, figure, link, number, section, table
from oidl.report.license_table import license_table
from oidl.report.plots import Part, columns
from oidl.state.aggregates import SIDE_CLASS, SIZE_CLASSES, Aggregates, HostStats, TimeBucket
from oidl.state.counts import Counts, RunRow
from oidl.text import html_text

_ORDER = (Status.DONE, Status.FAILED, Status.RETRY, Status.PENDING)
_HOSTS = 20
_RUNS = 50


def report_html(counts: Counts, aggregates: Aggregates, *, root: str, now: datetime) -> str:
    """The whole document, about the images at `root`."""
    css = "".join(files("oidl.report").joinpath(name).read_text("utf-8") for name in ("base.css", "report.css"))
    name = f"Open Images V{counts.dataset_version}" if counts.dataset_version else "Open Images"
    body = "\n".join(
        [
            _figures(counts, aggregates),
            section("Outcome by subset", _subsets(counts)),
            section("Why images failed", _reasons(counts)),
            section("Throughput", _throughput(aggregates)),
            f'<div class="two">{section("Size of downloads", _sizes(aggregates))}'
            f"{section('Longer side', _sides(aggregates))}</div>",
            section("Hosts", _hosts(aggregates.hosts)),
            f'<div class="two">{section("Licences", _licenses(aggregates))}'
            f"{section('On disk', _renditions(counts))}</div>",
            *([section("Licences now", license_table(counts.licenses))] if counts.licenses else []),
            section("Runs", _runs(aggregates.runs)),
        ]
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{html_text(name)}: download report</title>
<style>
{css}</style>
</head>
<body>
<header class="top"><h1>{html_text(name)}</h1>
<p class="soft">{html_text(root)}, {now:%Y-%m-%d %H:%M} UTC</p></header>
<main>
{body}
<footer>Times are UTC. Photos are their authors'; licences are as they were when the dataset was published, without
warranty: verify what you rely on.</footer>
</main>
</body>
</html>
"""


def _figures(counts: Counts, aggregates: Aggregates) -> str:
    by_status = counts.by_status
    settled = by_status[Status.DONE] + by_status[Status.FAILED]
    figures = {
        "images": f"{counts.total:,}",
        "settled": share(settled, counts.total),
        **{_LABELS[status]: f"{by_status[status]:,}" for status in _ORDER},
        "downloaded": size(counts.bytes_downloaded),
        "on disk": size(sum(taken for _, taken in counts.files.values())),
    }
    terms = "".join(f"<div><dt>{name}</dt><dd>{figure}</dd></div>" for name, figure in figures.items())
    return f'<section class="card"><dl class="figures">{terms}</dl></section>'


_LABELS = {Status.DONE: "done", Status.FAILED: "failed", Status.RETRY: "to retry", Status.PENDING: "not tried"}


def _subsets(counts: Counts) -> str:
    rows = []
    for subset, row in counts.by_subset.items():
        total = sum(row.values())
        parts = [Part(row[status], status, f"{row[status]:,} {_LABELS[status]}") for status in _ORDER]
        rows.append(
            [
                html_text(subset),
                bar_cell(parts, total, f"{subset}: {share(row[Status.DONE], total)} done"),
                *(number(row[status]) for status in _ORDER),
                number(total),
            ]
        )
    heads = ["subset", "", *(f"#{_LABELS[status]}" for status in _ORDER), "#images"]
    return table(heads, rows) + _key(_ORDER)


def _reasons(counts: Counts) -> str:
    if not counts.by_reason:
        return NOTHING
    ranked = sorted(counts.by_reason.items(), key=lambda item: -sum(item[1].values()))
    most = sum(ranked[0][1].values())
    rows = []
    for reason, row in ranked:
        shown = (Status.FAILED, Status.RETRY)
        parts = [Part(row[status], status, f"{row[status]:,} {_LABELS[status]}") for status in shown]
        rows.append(
            [
                f"<code>{html_text(reason)}</code><br><span class=soft>{html_text(meaning(reason))}</span>",
                bar_cell(parts, most, f"{reason}: {sum(row.values()):,}"),
                *(number(row[status]) for status in shown),
            ]
        )
    return table(["reason", "", "#failed for good", "#to retry"], rows) + _key(shown)


def _throughput(aggregates: Aggregates) -> str:
    if not aggregates.slices:
        return NOTHING
    per = duration(aggregates.slice_s)
    images = [
        [
            Part(each.done, "done", f"{each.at:%Y-%m-%d %H:%M:%S}: {each.done:,} done in {per}"),
            Part(each.failed, "failed", f"{each.at:%Y-%m-%d %H:%M:%S}: {each.failed:,} failed in {per}"),
        ]
        for each in aggregates.slices
    ]
    read = [
        [Part(each.bytes, "done", f"{each.at:%Y-%m-%d %H:%M:%S}: {size(each.bytes)} in {per}")]
        for each in aggregates.slices
    ]
    fastest = max(each.done + each.failed for each in aggregates.slices) / aggregates.slice_s
    most = max(each.bytes for each in aggregates.slices) / aggregates.slice_s
    axis = _time_axis(aggregates.slices)
    return (
        figure("images settled", f"at most {fastest:.1f} images/s", columns(images, "images settled over time"), axis)
        + figure("bytes of images downloaded", f"at most {size(round(most))}/s", columns(read, "bytes over time"), axis)
        + _key((Status.DONE, Status.FAILED))
    )


def _time_axis(buckets: Sequence[TimeBucket]) -> list[str]:
    """When the first, the middle and the last bucket began; the day is written once if they share it."""
    moments = [buckets[0].at, buckets[len(buckets) // 2].at, buckets[-1].at][: len(buckets)]
    is_one_day = len({moment.date() for moment in moments}) == 1
    times = [f"{moment:%H:%M:%S}" if is_one_day else f"{moment:%Y-%m-%d %H:%M}" for moment in moments]
    return [f"{moments[0]:%Y-%m-%d} {times[0]}", *times[1:]] if is_one_day else times


def _sizes(aggregates: Aggregates) -> str:
    bounds = [0, *SIZE_CLASSES]
    names = [f"{size(low)} – {size(high)}" for low, high in pairwise(bounds)] + [f"{size(bounds[-1])} and more"]
    first, last = _filled(aggregates.sizes)
    axis = [size(bounds[first]), size(bounds[min(last + 1, len(bounds) - 1)])]
    return _histogram("images by bytes downloaded", aggregates.sizes[first : last + 1], names[first : last + 1], axis)


def _sides(aggregates: Aggregates) -> str:
    names = [f"{number * SIDE_CLASS} – {(number + 1) * SIDE_CLASS - 1} px" for number in range(len(aggregates.sides))]
    names[-1] = f"{(len(names) - 1) * SIDE_CLASS} px and more"
    first, last = _filled(aggregates.sides)
    axis = [f"{first * SIDE_CLASS} px", f"{(last + 1) * SIDE_CLASS} px"]
    formats = ", ".join(f"{html_text(name)} {images:,}" for name, images in aggregates.formats.items())
    plot = _histogram("images by pixels", aggregates.sides[first : last + 1], names[first : last + 1], axis)
    return plot + (f'<p class="key">{formats}</p>' if formats else "")


def _filled(classes: Sequence[int]) -> tuple[int, int]:
    """The first and the last class that have any images."""
    filled = [number for number, count in enumerate(classes) if count] or [0]
    return filled[0], filled[-1]


def _histogram(what: str, counts: Sequence[int], names: Sequence[str], axis: Sequence[str]) -> str:
    if not any(counts):
        return NOTHING
    stacks = [[Part(count, "done", f"{name}: {count:,}")] for count, name in zip(counts, names, strict=True)]
    return figure(what, f"at most {max(counts):,}", columns(stacks, what), axis)


def _hosts(hosts: Sequence[HostStats]) -> str:
    """Two tables: the slowest hosts, and those with the most failed tries."""
    if not hosts:
        return NOTHING
    slow = sorted((host for host in hosts if host.bytes_per_s is not None), key=lambda host: host.bytes_per_s or 0.0)
    troubled = sorted((host for host in hosts if host.failed_tries), key=lambda host: -host.failed_tries)
    return (
        "<h3>Slowest</h3>" + _host_table(slow[:_HOSTS]) + "<h3>Most failed tries</h3>" + _host_table(troubled[:_HOSTS])
    )


def _host_table(hosts: Sequence[HostStats]) -> str:
    rows = [
        [
            html_text(host.host.rpartition("@")[2]),  # without a user and password, which the list may have
            number(host.images),
            cell(f"{size(round(host.bytes_per_s))}/s" if host.bytes_per_s is not None else "–"),
            cell(f"{host.transfer_s / host.images:.2f} s" if host.images else "–"),
            number(host.failed_tries),
        ]
        for host in hosts
    ]
    return table(["host", "#images", "#one transfer", "#time for one", "#failed tries"], rows) if rows else NOTHING


def _licenses(aggregates: Aggregates) -> str:
    total = sum(aggregates.licenses.values())
    rows = [
        [link(url, license_name(url)), number(images), cell(share(images, total))]
        for url, images in aggregates.licenses.items()
    ]
    return table(["licence", "#images", "#share"], rows) if rows else NOTHING


def _renditions(counts: Counts) -> str:
    rows = [
        [html_text(name), number(files), cell(size(taken)), cell(size(taken // files) if files else "–")]
        for name, (files, taken) in counts.files.items()
    ]
    return table(["rendition", "#files", "#size", "#each"], rows) if rows else NOTHING


def _runs(runs: Sequence[RunRow]) -> str:
    rows = [
        [
            str(run.id),
            html_text(run.started_at[:19].replace("T", " ")),
            html_text(run.outcome or "active, or killed"),
            cell(duration(run.elapsed_s)),
            number(run.done),
            number(run.failed),
            cell(size(run.bytes)),
        ]
        for run in runs[:_RUNS]
    ]
    return table(["run", "began", "ended as", "#took", "#done", "#failed", "#read"], rows) if rows else NOTHING


def _key(statuses: Iterable[Status]) -> str:
    return (
        '<p class="key">' + "".join(f'<span class="{status}">{_LABELS[status]}</span>' for status in statuses) + "</p>"
    )
