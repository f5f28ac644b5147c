"""An image in a notebook: its boxes are drawn over it, and the attribution is below it. Nothing is fetched."""

import base64
from collections.abc import Sequence

from oidl.text import html_text

_TYPES = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png", ".webp": "webp", ".gif": "gif"}
_WIDEST = 480  # pixels on the page
_COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#800000")


Outline = tuple[str, float, float, float, float]
"""A box to draw: its class, and left, top, right and bottom in pixels of the image."""


def image_html(
    body: bytes,
    suffix: str,
    size: tuple[int, int],
    outlines: Sequence[Outline],
    *,
    title: str,
    page: str,
    author: str,
    license_url: str,
) -> str:
    """Self-contained HTML: the image is embedded, and all published text is escaped."""
    names = sorted({name for name, *_ in outlines})
    colours = {name: _COLOURS[number % len(_COLOURS)] for number, name in enumerate(names)}
    width, height = size
    line = max(2 * width / _WIDEST, 1)
    boxes = "".join(_rectangle(outline, colours[outline[0]], line) for outline in outlines)
    legend = ", ".join(f'<span style="color:{colour}">{html_text(name)}</span>' for name, colour in colours.items())
    attribution = f"{_link(page, title)} by {html_text(author or 'unknown')}, {_link(license_url, license_url)}"
    return (
        f'<figure style="margin:0"><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'style="max-width:100%;width:{min(width, _WIDEST)}px">{_picture(body, suffix, size)}{boxes}</svg>'
        f"<figcaption>{attribution}<br>{legend}</figcaption></figure>"
    )


def _picture(body: bytes, suffix: str, size: tuple[int, int]) -> str:
    kind = _TYPES.get(suffix.lower())
    shape = f'width="{size[0]}" height="{size[1]}"'
    if kind is None:  # browsers cannot show other formats
        return f'<rect {shape} fill="#ddd"/>'
    return f'<image {shape} href="data:image/{kind};base64,{base64.b64encode(body).decode()}"/>'


def _rectangle(outline: Outline, colour: str, line: float) -> str:
    name, left, top, right, bottom = outline
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}" '
        f'fill="none" stroke="{colour}" stroke-width="{line:.1f}"><title>{html_text(name)}</title></rect>'
    )


def _link(url: str, text: str) -> str:
    """A link if `url` is on the web, otherwise only `text`."""
    if not url.startswith(("https://", "http://")):
        return html_text(text)
    return f'<a href="{html_text(url)}" rel="noopener noreferrer" target="_blank">{html_text(text)}</a>'
