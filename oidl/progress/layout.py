"""The full screen as lines: statistics, window size and what is looked at go in, styled text comes out. Pure.

It fits 80 × 24 and gives what a larger window has to charts and lists. A window
too small for it gets the one line that there is without a screen.
"""

from dataclasses import dataclass

from oidl.model import Reason, Status
from oidl.progress.charts import bar, sparkline
from oidl.progress.format import duration, pace_words, progress_line, reading_words, size
from oidl.progress.lists import count_of, list_rows
from oidl.progress.spans import BAD, DIM, GOOD, HEAD, MARK, WARN, Line, Span, apart, clipped, cut, left, right
from oidl.progress.statistics import Statistics
from oidl.progress.view import Tab, View

MIN_WIDTH, MIN_HEIGHT = 60, 18
_ROOMY = 28  # lines from which on there are empty ones
_SUBSET_CELLS = 49

_TABS = {Tab.IN_PROGRESS: "In progress", Tab.SUCCESSES: "Last successes", Tab.FAILURES: "Last failures"}
_KEYS = "q quit   1 2 3 lists   ↑ ↓ PgUp PgDn scroll   ? help"
_HELP = (
    ("1 2 3  Tab  ← →", "which list is shown"),
    ("↑ ↓  k j  PgUp PgDn", "scroll; a list stands still until its top is shown again"),
    ("Home End  g G", "to its top, to its end"),
    ("q  or  Ctrl-C", "finish what is in hand and end; once more: end at once"),
    ("Ctrl-Z", "to the shell; fg comes back"),
    ("Ctrl-L", "draw everything again; times are UTC"),
    ("?  or any key", "back"),
)


@dataclass(frozen=True, slots=True)
class Frame:
    """A drawn screen: as many lines as it is high; `page` of `rows` rows of the list are seen."""

    lines: tuple[Line, ...]
    rows: int
    page: int


def draw(
    now: Statistics,
    view: View,
    width: int,
    height: int,
    *,
    message: str = "",
    page_url: str = "",
    listed: Statistics | None = None,
) -> Frame:
    """The screen of `width` × `height` cells, with the lists of `listed`.

    `message` is what was said last, `page_url` where the run's web page is, if it has one.
    """
    listed = listed or now
    if width < MIN_WIDTH or height < MIN_HEIGHT:
        lines = [(Span(progress_line(now)),), *[()] * (height - 1)]
        return Frame(tuple(clipped(line, width) for line in lines[:height]), 0, 0)
    gap = [()] if height >= _ROOMY else []
    top: list[Line] = [
        _head(now, width),
        _overall(now, width),
        *gap,
        *_charts(now, width),
        *gap,
        *_tables(now, width, rows=4 + max(0, height - _ROOMY) // 4),
        *gap,
        _in_hand(now),
        *_paces(now, width, rows=1 + max(0, height - _ROOMY) // 8),
        *gap,
        _tabs(listed, view, width),
    ]
    page = max(0, height - len(top) - 2)
    rows = count_of(listed, view.tab)
    first = min(view.offset, max(0, rows - page))
    body = _help() if view.is_help else list_rows(listed, view.tab, width, first, page) or [_nothing(view.tab)]
    body = body[:page] + [()] * (page - len(body))
    position = f"{first + 1}–{min(first + page, rows)} of {rows}" if rows > page and not view.is_help else ""
    bottom: list[Line] = [
        _message(message.rpartition("\n")[2], page_url, width),
        apart((Span(_KEYS, DIM),), (Span(position, DIM),), width),
    ]
    return Frame(tuple(clipped(line, width) for line in [*top, *body, *bottom][:height]), rows, page)


def _message(message: str, page_url: str, width: int) -> Line:
    """What was said last, and where the web page is, because that was said long ago."""
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
    """Where the selection stands, by subset; beside it why images failed, the commonest reasons first."""
    subsets = list(now.by_subset.items())
    if len(subsets) != 1:
        subsets = [*subsets[: rows - 1], ("all", now.by_status)]  # there are three, but in lists of other people's
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
    found = sorted(now.failures.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    if len(found) > rows:
        others = {status: sum(row[status] for _, row in found[rows - 1 :]) for status in (Status.FAILED, Status.RETRY)}
        more = f"{len(found) - rows + 1} others"
        return [*(_reason(reason, row) for reason, row in found[: rows - 1]), _reason(more, others)]
    return [_reason(reason, row) for reason, row in found]


def _reason(name: Reason | str, row: dict[Status, int]) -> Line:
    return (
        left(str(name), 14),
        right(f"{row[Status.FAILED]:,}", 8, BAD if row[Status.FAILED] else DIM),
        right(f"{row[Status.RETRY]:,}", 8, WARN if row[Status.RETRY] else DIM),
    )


def _in_hand(now: Statistics) -> Line:
    if now.reading and now.is_busy_reading:
        return left("in hand", 9, DIM), Span(reading_words(now.reading, now.read_bytes_per_s))
    waiting = now.in_flight - len(now.transfers) - len(now.processing)
    return (
        left("in hand", 9, DIM),
        Span(f"downloads in progress: {len(now.transfers)}   resizes in progress: {len(now.processing)}"),
        Span(f"   waiting: {max(0, waiting)}", DIM),
    )


def _paces(now: Statistics, width: int, rows: int) -> list[Line]:
    """How fast providers are asked, those that are paused first."""
    lines: list[Line] = []
    paces = sorted(now.paces, key=lambda pace: (-pace.pause_s, pace.provider))
    for number, pace in enumerate(paces[:rows]):
        words = pace_words(pace)
        is_paused = pace.pause_s >= 1  # as in `pace_words`
        if is_paused and pace.pause_reason:
            words += f" ({pace.pause_reason})"
        elif pace.learned_rate is not None:
            words += f", learned: {pace.learned_rate:.3g} req/s"
        if number == rows - 1 and len(paces) > rows:
            words += f"   and {len(paces) - rows} more"
        lines.append((left("" if number else "pace", 9, DIM), Span(cut(words, width - 9), WARN if is_paused else "")))
    return lines or [(left("pace", 9, DIM), Span("nothing was asked for yet", DIM))]


def _tabs(listed: Statistics, view: View, width: int) -> Line:
    spans: list[Span] = []
    for tab, name in _TABS.items():
        style = "reverse" if tab is view.tab else DIM
        spans += [Span(f" {tab.value} {name} ({count_of(listed, tab)}) ", style), Span(" ")]
    return (*spans, Span("─" * max(0, width - sum(len(span.text) for span in spans)), DIM))


def _nothing(tab: Tab) -> Line:
    words = {Tab.IN_PROGRESS: "nothing is in progress", Tab.SUCCESSES: "none yet", Tab.FAILURES: "none yet"}
    return (Span(words[tab], DIM),)


def _help() -> list[Line]:
    return [(left(keys, 24, HEAD), Span(meaning)) for keys, meaning in _HELP]
