"""The nodes of a cluster on the screen: how they do in all, the worst of them, and the list of all. Pure.

A row has words with its numbers, since it has no heading.
"""

from collections.abc import Sequence

from oidl.model import NodeProgress
from oidl.progress.format import duration
from oidl.progress.spans import BAD, DIM, WARN, Line, Span, cut, left, right, width_of
from oidl.text import counted

_NAME_CELLS = 22  # an IPv4 address and a port
_WIDE = 108  # from this width on, a row has everything


def ranked(nodes: Sequence[NodeProgress]) -> list[NodeProgress]:
    """The nodes that live, slowest first, then those that have ended, the last one first."""
    living = [node for node in nodes if node.lost is None]
    return [
        *sorted(living, key=lambda node: (node.images_per_s, node.name)),
        *reversed([node for node in nodes if node.lost is not None]),
    ]


def nodes_words(nodes: Sequence[NodeProgress]) -> str:
    """The nodes in one line: `30 nodes, 214 img/s in all, 0.0 to 12 each; 2 have ended`."""
    rates = sorted(node.images_per_s for node in nodes if node.lost is None)
    ended = len(nodes) - len(rates)
    words = counted(len(rates), "node") if rates else "no node"
    if rates:
        words += f", {_rate(sum(rates))} img/s" + (" in all" if len(rates) > 1 else "")
    if len(rates) > 1:
        slowest, fastest = _rate(rates[0]), _rate(rates[-1])
        words += f", {slowest} each" if slowest == fastest else f", {slowest} to {fastest} each"
    return words + (f"; {ended} {'has' if ended == 1 else 'have'} ended" if ended else "")


def node_block(nodes: Sequence[NodeProgress], width: int, rows: int) -> list[Line]:
    """The nodes in one line, and below it `rows` of them at most, the worst first; nothing without a cluster."""
    if not nodes:
        return []
    lines: list[Line] = [(left("nodes", 9, DIM), Span(cut(nodes_words(nodes), width - 9)))]
    lines += [(left("", 9), *node_row(node, width - 9)) for node in ranked(nodes)[:rows]]
    return lines


def node_row(node: NodeProgress, width: int) -> Line:
    """A node in `width` cells: its name, images per second, images in progress, and pace; or how it ended."""
    is_wide = width >= _WIDE
    style = BAD if node.lost is not None else ""
    first: Line = (left(node.name, 30 if is_wide else _NAME_CELLS, style),)
    if is_wide:
        first = (*first, right(f"{node.images:,} done", 15))
    if node.lost is not None:
        return (*first, Span(" "), Span(cut(node.lost, width - width_of(first) - 1), style))
    downloads = (right(counted(node.downloads or 0, "download"), 15),) if is_wide else ()
    return (
        *first,
        right(f"{_rate(node.images_per_s)} img/s", 12, "" if node.images_per_s else WARN),
        right(f"{node.in_progress:,} in progress", 18, DIM),
        *downloads,
        right(*_pace(node)),
    )


def _pace(node: NodeProgress) -> tuple[str, int, str]:
    """What the node may ask for, the cells that this takes, and its style."""
    if node.pause_s >= 1:
        return f"paused {duration(node.pause_s)}", 19, WARN
    return ("no rate limit" if node.rate is None else f"{node.rate:.3g} req/s"), 19, ""


def _rate(per_s: float) -> str:
    return f"{per_s:.1f}" if per_s < 10 else f"{per_s:,.0f}"
