"""The lists of the full screen: a row for each image in progress, last success, last failure, and node. Pure."""

import time

from oidl.model import Status
from oidl.progress.charts import bar
from oidl.progress.format import size
from oidl.progress.nodes import node_row, ranked
from oidl.progress.spans import BAD, DIM, GOOD, MARK, WARN, Line, Span, left, right, tail
from oidl.progress.statistics import Failed, Processing, Statistics, Success, Transferring
from oidl.progress.view import Tab

_WIDE = 100  # from this width on, a row has everything


def count_of(now: Statistics, tab: Tab) -> int:
    """How many rows the list of `tab` has."""
    if tab is Tab.IN_PROGRESS:
        return len(now.processing) + len(now.transfers)
    if tab is Tab.NODES:
        return len(now.nodes)
    return len(now.successes if tab is Tab.SUCCESSES else now.failed_tries)


def list_rows(now: Statistics, tab: Tab, width: int, start: int, count: int) -> list[Line]:
    """Rows `start` to `start + count` of the list of `tab`, each `width` cells wide."""
    visible = slice(start, start + count)
    if tab is Tab.SUCCESSES:
        return [_success(each, width) for each in now.successes[visible]]
    if tab is Tab.FAILURES:
        return [_failed(each, width) for each in now.failed_tries[visible]]
    if tab is Tab.NODES:
        return [node_row(each, width) for each in ranked(now.nodes)[visible]]
    # Those that take longest first: the user sees what hangs, and rows do not jump about.
    in_progress: list[Processing | Transferring] = [
        *sorted(now.processing, key=lambda each: -each.elapsed_s),
        *sorted(now.transfers, key=lambda each: -each.elapsed_s),
    ]
    return [
        _processing(each, width) if isinstance(each, Processing) else _transferring(each, width)
        for each in in_progress[visible]
    ]


def _transferring(each: Transferring, width: int) -> Line:
    host = max(15, min(34, (width - 50) // 2))
    node = 22 if each.node and width >= _WIDE else 0  # a narrower row has the node instead of the host
    filled, empty = bar(each.share or 0.0, max(4, width - host - node - 49))
    expected = "?" if each.expected_bytes is None else size(each.expected_bytes)
    return (
        left(each.image_id, 17),
        left(each.node, node),
        left(each.host if node else each.node or each.host, host),
        Span(" "),
        Span(filled, MARK),
        Span(empty, DIM),
        right("? %" if each.share is None else f"{each.share:.0%}".replace("%", " %"), 6),
        right(f"{size(each.received_bytes)} of {expected}", 19),
        right(_seconds(each.elapsed_s), 6, DIM),
    )


def _processing(each: Processing, width: int) -> Line:
    words = f"resizing on {each.node}" if each.node else "resizing"
    return left(each.image_id, 17), left(words, width - 23, MARK), right(_seconds(each.elapsed_s), 6, DIM)


def _success(each: Success, width: int) -> Line:
    is_timed = each.transfer_s is not None or each.process_s is not None  # nodes of a cluster do not say
    took_s = (each.transfer_s or 0.0) + (each.process_s or 0.0)
    path = each.files[0].path if each.files else ""
    return (
        left(_time(each.finished_at), 9, DIM),
        left(each.image_id, 17, GOOD),
        left(each.subset, 11),
        right(f"{each.width}×{each.height}", 10),
        right(size(each.bytes), 8),
        right(_seconds(took_s) if is_timed else "", 7, DIM),
        Span(" "),
        tail(path, max(0, width - 63), DIM),
    )


def _failed(each: Failed, width: int) -> Line:
    style = BAD if each.status is Status.FAILED else WARN
    return (
        left(_time(each.at), 9, DIM),
        left(each.image_id, 17),
        left(each.subset, 11),
        left(each.reason, 14, style),
        left(each.status, 7, style),
        left(" · ".join(filter(None, (each.detail, each.url))), max(0, width - 58), DIM),
    )


def _time(at: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(at))


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
