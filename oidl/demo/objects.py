"""The objects on a generated photo: their classes, places and appearance. Pure.

An object is whole or cut off by the edge, alone or a group, real or a drawing on
a sheet of paper, and now and then the photo is taken from inside a house.
"""

import random
from dataclasses import dataclass

from oidl.demo.classes import DRAWN, DrawnClass
from oidl.imaging.shapes import Place, Shape
from oidl.imaging.silhouettes import SILHOUETTES

_COUNTS = (1, 1, 2, 2, 2, 3, 3, 4)
_TRIES = 12
_MAX_OVERLAP = 0.25  # of the smaller of two rectangles
_HOUSE = next(drawn for drawn in DRAWN if drawn.name == "House")
# A group: one in the middle, six around it, as fractions of the group's sides.
_MEMBERS = ((0.3, 0.3), (0.0, 0.05), (0.3, 0.0), (0.6, 0.05), (0.0, 0.55), (0.3, 0.6), (0.6, 0.55))
_MEMBER_SIZE = 0.4


@dataclass(frozen=True, slots=True)
class DemoObject:
    """An object of `drawn_class` on a photo, with the flags of its box."""

    drawn_class: DrawnClass
    shape: Shape
    is_truncated: bool = False
    is_group_of: bool = False
    is_depiction: bool = False
    is_inside: bool = False


def arrange(rng: random.Random, aspect: float) -> tuple[DemoObject, ...]:
    """The objects of a photo that is `aspect` times as wide as high, from back to front; at least one."""
    objects: list[DemoObject] = []
    occupied: list[Place] = []
    if rng.random() < 0.04:
        whole = Place(0.0, 0.0, 1.0, 1.0)
        objects.append(DemoObject(_HOUSE, Shape("window", _HOUSE.colour, (whole,)), is_inside=True))
    for drawn in rng.choices(DRAWN, [drawn.weight for drawn in DRAWN], k=rng.choice(_COUNTS)):
        placed = _place(rng, drawn, aspect, occupied)
        if placed is not None:
            objects.append(placed)
    return tuple(objects)


def _place(rng: random.Random, drawn: DrawnClass, aspect: float, occupied: list[Place]) -> DemoObject | None:
    """An object that overlaps little with the `occupied` places; adds its own. None if there is no such place."""
    kind = rng.random()
    is_group_of, is_depiction, is_truncated = kind < 0.1, 0.1 <= kind < 0.17, 0.17 <= kind < 0.3
    for _ in range(_TRIES):
        height = rng.uniform(0.18, 0.5)
        width = height * SILHOUETTES[drawn.silhouette].aspect / aspect
        if width > 0.6:
            width, height = 0.6, height * 0.6 / width
        left, top = rng.uniform(0.03, 0.97 - width), rng.uniform(0.03, 0.97 - height)
        if is_truncated:
            beyond = rng.uniform(0.15, 0.35) * width
            left = rng.choice((-beyond, 1 - width + beyond))
        if is_depiction:
            # The sheet fills the place, the drawing its middle.
            place = Place(left + 0.15 * width, top + 0.15 * height, 0.7 * width, 0.7 * height)
        else:
            place = Place(left, top, width, height)
        room = Place(left, top, width, height)
        if all(_overlap(room, other) <= _MAX_OVERLAP for other in occupied):
            occupied.append(room)
            places = _members(place) if is_group_of else (place,)
            shape = Shape(drawn.silhouette, drawn.colour, places, room if is_depiction else None)
            return DemoObject(drawn, shape, is_truncated, is_group_of, is_depiction)
    return None


def _members(place: Place) -> tuple[Place, ...]:
    return tuple(
        Place(
            place.left + x * place.width,
            place.top + y * place.height,
            _MEMBER_SIZE * place.width,
            _MEMBER_SIZE * place.height,
        )
        for x, y in _MEMBERS
    )


def _overlap(one: Place, other: Place) -> float:
    """The overlap of two rectangles, as a fraction of the smaller one."""
    width = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    height = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / min(one.width * one.height, other.width * other.height)
