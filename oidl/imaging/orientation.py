"""Turns stored pixels the right way up; every turn is named by the EXIF orientation that asks for it."""

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


def turned(image: pyvips.Image, orientation: int) -> pyvips.Image:
    """`image`, stored with an EXIF `orientation` of 1–8, as it is to be seen."""
    if orientation == 1:
        return image
    turn, mirror = _TURNS[orientation]
    if turn != "d0":
        image = image.rot(turn)
    return image.flip(mirror) if mirror else image
