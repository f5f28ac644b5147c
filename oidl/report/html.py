"""The parts that the report is made of, as HTML. Pure.

Text is escaped here; what is HTML already is passed as content, plot or a cell that begins with `<td`.
"""

from collections.abc import Iterable, Sequence

from oidl.report.plots import Part, bar
from oidl.text import html_text

NOTHING = '<p class="soft">None yet.</p>'
"""What is shown in the place of a table without rows."""


def section(title: str, content: str) -> str:
    """A card with a title."""
    return f'<section class="card"><h2>{html_text(title)}</h2>{content}</section>'


def figure(what: str, peak: str, plot: str, axis: Iterable[str]) -> str:
    """A plot with `what` it shows, its `peak`, and the marks below it."""
    marks = "".join(f"<span>{html_text(mark)}</span>" for mark in axis)
    caption = f"<figcaption><span>{html_text(what)}</span><span>{html_text(peak)}</span></figcaption>"
    return f'<figure>{caption}{plot}<div class="axis">{marks}</div></figure>'


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table. A head that begins with `#` is that of a column of numbers; a cell may bring its own `<td>`."""
    head = "".join(
        f'<th class="number">{html_text(head[1:])}</th>' if head[:1] == "#" else f"<th>{html_text(head)}</th>"
        for head in heads
    )
    body = "".join(
        "<tr>" + "".join(each if each.startswith("<td") else f"<td>{each}</td>" for each in row) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def cell(text: str) -> str:
    """A cell in a column of numbers."""
    return f'<td class="number">{html_text(text)}</td>'


def number(value: int) -> str:
    """A cell with a number."""
    return cell(f"{value:,}")


def bar_cell(parts: Iterable[Part], whole: float, label: str) -> str:
    """A cell with a bar."""
    return f'<td class="bar">{bar(parts, whole, label)}</td>'


def link(url: str, text: str) -> str:
    """A link if `url` is a web address, otherwise the text alone."""
    if url.startswith(("https://", "http://")):
        return f'<a href="{html_text(url)}" rel="noreferrer">{html_text(text)}</a>'
    return html_text(text)
