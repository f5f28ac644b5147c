"""The colour of each class, of its boxes, masks and labels. Pure."""

from collections.abc import Iterable
from typing import TypeAlias
from zlib import crc32

Colour: TypeAlias = tuple[int, int, int]

# Bright enough to be seen on a photo with a dark edge around them, and as far apart as may be.
_PALETTE: tuple[Colour, ...] = (
    (255, 210, 63),
    (59, 206, 172),
    (255, 111, 145),
    (106, 183, 255),
    (199, 146, 234),
    (255, 159, 67),
    (168, 224, 95),
    (255, 92, 92),
    (53, 214, 245),
    (244, 163, 255),
    (214, 194, 106),
    (95, 224, 154),
    (143, 155, 255),
    (255, 177, 153),
)


def class_colours(drawn: Iterable[str], others: Iterable[str] = ()) -> dict[str, Colour]:
    """The colours of the classes in one image, by label name: those that are `drawn` on it, then `others`.

    A class has the same colour in all images, except where another class of the image has it already. More classes than
    colours share some.
    """
    colours: dict[str, Colour] = {}
    for label_name in [*sorted(set(drawn)), *sorted(set(others))]:
        first = crc32(label_name.encode()) % len(_PALETTE)
        turns = (_PALETTE[(first + turn) % len(_PALETTE)] for turn in range(len(_PALETTE)))
        taken = set(colours.values())
        colours.setdefault(label_name, next((colour for colour in turns if colour not in taken), _PALETTE[first]))
    return colours


def css_colour(colour: Colour) -> str:
    """`colour` for a style sheet: `#ffd23f`."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
