"""The full screen as lines: statistics, view and window size go in, styled text comes out. Pure.

It fits 80 × 24; a larger window gives its space to charts and lists. A window
that is too small shows the same one line as a run without a screen.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from oidl.model import Reason, Status
from oidl.progress.charts import bar, sparkline
from oidl.progress.format import duration, pace_words, progress_line, reading_words, size
from oidl.progress.lists import count_of, list_rows
from oidl.progress.nodes import node_block
from oidl.progress.spans import BAD, DIM, GOOD, HEAD, MARK, WARN, Line, Span, apart, clipped, cut, left, right
from oidl.progress.statistics import Statistics
from oidl.progress.view import Tab, View

MIN_WIDTH, MIN_HEIGHT = 60, 18
_ROOMY = 28  # from this number of lines on, the parts have empty lines between them
_SUBSET_CELLS = 49

_TABS = {Tab.IN_PROGRESS: "In progress", Tab.SUCCESSES: "Last successes", Tab.FAILURES: "Last failures"}
_CLUSTER_TABS = {
    Tab.IN_PROGRESS: "In progress",
    Tab.SUCCESSES: "Successes",
    Tab.FAILURES: "Failures",
    Tab.NODES: "Nodes",
}
_KEYS = "q quit   {} lists   ↑ ↓ PgUp PgDn scroll   ? help"
_HELP = (
    ("{}  Tab  ← →", "choose a list"),
    ("↑ ↓  k j  PgUp PgDn", "scroll; the list holds still until its top is shown"),
    ("Home End  g G", "go to its top, to its end"),
    ("q  or  Ctrl-C", "finish active transfers and end; again: end at once"),
    ("Ctrl-Z", "go to the shell; fg comes back"),
    ("Ctrl-L", "draw everything again; times are UTC"),
    ("?  or any key", "close this help"),
)


@dataclass(frozen=True, slots=True)
class Frame:
    """A drawn screen, one line per row of the terminal; it shows `page` of the `rows` rows of one of `tabs` lists."""

    lines: tuple[Line, ...]
    rows: int
    page: int
    tabs: int = len(_TABS)


def draw(
    now: Statistics,
    view: View,
    width: int,
    height: int,
    *,
    message: str = "",
    list_source: Statistics | None = None,
) -> Frame:
    """The screen of `width` × `height` cells, with the lists of `list_source` (default: `now`) and the last message."""
    list_source = list_source or now
    if width < MIN_WIDTH or height < MIN_HEIGHT:
        lines = [(Span(progress_line(now)),), *[()] * (height - 1)]
        return Frame(tuple(clipped(line, width) for line in lines[:height]), 0, 0)
    gap = [()] if height >= _ROOMY else []
    tabs = _CLUSTER_TABS if now.nodes else _TABS
    numbers = " ".join(str(tab.value) for tab in tabs)
    top: list[Line] = [
        _head(now, width),
        _overall(now, width),
        *gap,
        *_charts(now, width),
        *gap,
        *_tables(now, width, rows=4 + max(0, height - _ROOMY) // 4),
        *gap,
        _in_progress(now),
        *_paces_or_nodes(now, width, more=max(0, height - _ROOMY) // 8),
        *gap,
        _tabs(list_source, tabs, view, width),
    ]
    page = max(0, height - len(top) - 2)
    rows = count_of(list_source, view.tab)
    first = min(view.offset, max(0, rows - page))
    listed = list_rows(list_source, view.tab, width, first, page) or [_nothing(view.tab)]
    body = _help(numbers) if view.is_help else listed
    body = body[:page] + [()] * (page - len(body))
    position = f"{first + 1}–{min(first + page, rows)} of {rows}" if rows > page and not view.is_help else ""
    bottom: list[Line] = [
        _message(message.rpartition("\n")[2], now.page_url, width),
        apart((Span(_KEYS.format(numbers), DIM),), (Span(position, DIM),), width),
    ]
    return Frame(tuple(clipped(line, width) for line in [*top, *body, *bottom][:height]), rows, page, len(tabs))


def _message(message: str, page_url: str, width: int) -> Line:
    """The last message, and the URL of the web page, whose message scrolled away long ago."""
    room = width - len(page_url) - 2 if page_url else width
    return apart((Span(cut(message, max(0, room)), WARN),), (Span(page_url, DIM),), width)


def _head(now: Statistics, width: int) -> Line:
    to_go = f"{now.remaining:,} to go"
    if now.eta_s is not None and now.remaining:
        to_go += f", {duration(now.eta_s)} left"
    return apart(
        (Span("oidl", HEAD), Span(f"  {now.done:,} done, {now.failed:,} failed in {duration(now.elapsed_s)}", DIM)),
        (Span(to_go, HEAD),),
        width,
    )


def _overall(now: Statistics, width: int) -> Line:
    settled, total = (now.settled, now.total) if not now.goal else (now.goal - now.remaining, now.goal)
    share = settled / total if total else 0.0
    words = f" {100 * share:6.2f} %  {settled:,} of {total:,}"
    if not now.total:
        words = "  no image list yet"
    filled, empty = bar(share, max(8, width - len(words)))
    return Span(filled, GOOD), Span(empty, DIM), Span(words, HEAD)


def _charts(now: Statistics, width: int) -> list[Line]:
    cells = width - 42

    def chart(name: str, values: list[int], rate: str, total: str) -> Line:
        return left(name, 9, DIM), Span(sparkline(values, cells), MARK), right(rate, 14, HEAD), right(total, 19, DIM)

    return [
        chart(
            "images",
            [second.images for second in now.history],
            f"{now.images_per_s:.1f} img/s",
            f"{now.done + now.failed:,} settled",
        ),
        chart(
            "network",
            [second.bytes_read for second in now.history],
            f"{now.read_bytes_per_s / 1e6:.2f} MB/s",
            f"{size(now.bytes_read)} read",
        ),
        chart(
            "disk",
            [second.bytes_written for second in now.history],
            f"{now.written_bytes_per_s / 1e6:.2f} MB/s",
            f"{size(now.bytes_written)} written",
        ),
    ]


def _tables(now: Statistics, width: int, rows: int) -> list[Line]:
    """The selection by subset; to its right, why images failed, the most frequent reasons first."""
    subsets = list(now.by_subset.items())
    if len(subsets) != 1:
        subsets = [*subsets[: rows - 1], ("all", now.by_status)]  # usually three; a user's own list may have more
    left_side = [_subset(name, row) for name, row in subsets]
    right_side = _reasons(now, rows)
    gap = Span(" " * max(1, width - _SUBSET_CELLS - 30))
    head = (
        left("subset", 10, DIM),
        right("done", 10, DIM),
        right("failed", 10, DIM),
        right("retry", 8, DIM),
        right("pending", 11, DIM),
        gap,
        left("why", 14, DIM),
        right("failed", 8, DIM),
        right("retry", 8, DIM),
    )
    height = max(len(left_side), len(right_side), 4)
    left_side += [(Span(" " * _SUBSET_CELLS),)] * (height - len(left_side))
    right_side += [()] * (height - len(right_side))
    return [head, *((*first, gap, *second) for first, second in zip(left_side, right_side, strict=True))]


def _subset(name: str, row: dict[Status, int]) -> Line:
    return (
        left(name, 10, HEAD if name == "all" else ""),
        right(f"{row[Status.DONE]:,}", 10, GOOD),
        right(f"{row[Status.FAILED]:,}", 10, BAD if row[Status.FAILED] else DIM),
        right(f"{row[Status.RETRY]:,}", 8, WARN if row[Status.RETRY] else DIM),
        right(f"{row[Status.PENDING]:,}", 11),
    )


def _reasons(now: Statistics, rows: int) -> list[Line]:
    ranked = sorted(now.failures.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    if len(ranked) > rows:
        others = {status: sum(row[status] for _, row in ranked[rows - 1 :]) for status in (Status.FAILED, Status.RETRY)}
        more = f"{len(ranked) - rows + 1} others"
        return [*(_reason(reason, row) for reason, row in ranked[: rows - 1]), _reason(more, others)]
    return [_reason(reason, row) for reason, row in ranked]


def _reason(name: Reason | str, row: dict[Status, int]) -> Line:
    return (
        left(str(name), 14),
        right(f"{row[Status.FAILED]:,}", 8, BAD if row[Status.FAILED] else DIM),
        right(f"{row[Status.RETRY]:,}", 8, WARN if row[Status.RETRY] else DIM),
    )


def _in_progress(now: Statistics) -> Line:
    if now.reading and now.is_busy_reading:
        return left("active", 9, DIM), Span(reading_words(now.reading, now.read_bytes_per_s))
    waiting = now.in_flight - now.downloads - now.resizes
    return (
        left("active", 9, DIM),
        Span(f"downloads in progress: {now.downloads}   resizes in progress: {now.resizes}"),
        Span(f"   waiting: {max(0, waiting)}", DIM),
    )


def _paces_or_nodes(now: Statistics, width: int, more: int) -> list[Line]:
    """The pace at each provider; on a cluster, the nodes, which have a pace each."""
    return node_block(now.nodes, width, rows=2 + 2 * more) if now.nodes else _paces(now, width, rows=1 + more)


def _paces(now: Statistics, width: int, rows: int) -> list[Line]:
    """The pace at each provider, paused ones first."""
    lines: list[Line] = []
    paces = sorted(now.paces, key=lambda pace: (-pace.pause_s, pace.provider))
    for number, pace in enumerate(paces[:rows]):
        words = pace_words(pace)
        is_paused = pace.pause_s >= 1  # as in `pace_words`
        if is_paused and pace.pause_reason:
            words += f" ({pace.pause_reason})"
        elif pace.learned_rate is not None:
            words += f", learned {pace.learned_rate:.3g} req/s"
        more = f"  +{len(paces) - rows} more" if number == rows - 1 and len(paces) > rows else ""
        words = cut(words, width - 9 - len(more)) + more
        lines.append((left("" if number else "pace", 9, DIM), Span(words, WARN if is_paused else "")))
    return lines or [(left("pace", 9, DIM), Span("no requests yet", DIM))]


def _tabs(list_source: Statistics, tabs: Mapping[Tab, str], view: View, width: int) -> Line:
    spans: list[Span] = []
    for tab, name in tabs.items():
        style = "reverse" if tab is view.tab else DIM
        spans += [Span(f" {tab.value} {name} ({count_of(list_source, tab)}) ", style), Span(" ")]
    return (*spans, Span("─" * max(0, width - sum(len(span.text) for span in spans)), DIM))


def _nothing(tab: Tab) -> Line:
    return (Span("nothing is in progress" if tab is Tab.IN_PROGRESS else "none yet", DIM),)


def _help(numbers: str) -> list[Line]:
    return [(left(keys.format(numbers), 24, HEAD), Span(meaning)) for keys, meaning in _HELP]
