"""Counts what a reader returns, image by image. Pure."""

from collections import Counter
from collections.abc import Iterable

from bench.readers.check import Facts

BOXES = ("images", "boxes", "largest class", "box pixels")
"""The facts that `Tally` has about an output with boxes."""


class Tally:
    """The images and boxes so far: their number, their classes and the total area."""

    def __init__(self) -> None:
        self.images = 0
        self.names: Counter[str] = Counter()
        self.pixels = 0.0

    def image(self, boxes: Iterable[tuple[str, float, float]]) -> None:
        """Counts an image and its `boxes`: the name of the class, width and height in pixels."""
        self.images += 1
        for name, width, height in boxes:
            self.names[name] += 1
            self.pixels += width * height

    def facts(self) -> Facts:
        """The facts with the names in `BOXES`."""
        return {
            "images": self.images,
            "boxes": self.names.total(),
            "largest class": largest(self.names),
            "box pixels": float(self.pixels),
        }


def largest(names: Counter[str]) -> str:
    """The most frequent name with its count: `Cat 98`."""
    name = min(names, key=lambda name: (-names[name], name), default="")
    return f"{name} {names[name]}"
