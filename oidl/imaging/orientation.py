"""Turns stored pixels upright; a turn is identified by its EXIF orientation."""

from oidl.imaging.vips import pyvips

# Clockwise, then mirrored along: Exif 2.32, 4.6.4.
_TURNS = {
    2: ("d0", "horizontal"),
    3: ("d180", None),
    4: ("d0", "vertical"),
    5: ("d90", "horizontal"),
    6: ("d90", None),
    7: ("d90", "vertical"),
    8: ("d270", None),
}


def upright(image: pyvips.Image, orientation: int) -> pyvips.Image:
    """`image`, which is stored with an EXIF `orientation` of 1–8, the right way up."""
    if orientation == 1:
        return image
    turn, mirror = _TURNS[orientation]
    if turn != "d0":
        image = image.rot(turn)
    return image.flip(mirror) if mirror else image
