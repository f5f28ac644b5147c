"""The classes of a demo: twenty that are drawn, their superclasses, and classes of whole photos. Data.

Names and positions in the tree are those of Open Images.
"""

from dataclasses import dataclass
from typing import Any

from oidl.imaging.shapes import Colour


@dataclass(frozen=True, slots=True)
class DrawnClass:
    """A class with boxes, drawn with the silhouette of its name in lower case."""

    label_name: str
    name: str
    colour: Colour
    weight: int = 1

    @property
    def silhouette(self) -> str:
        """Its key in `SILHOUETTES`."""
        return self.name.lower()


DRAWN: tuple[DrawnClass, ...] = (
    DrawnClass("/m/0cmf2", "Airplane", (104, 116, 140)),
    DrawnClass("/m/014j1m", "Apple", (128, 184, 32)),
    DrawnClass("/m/018xm", "Ball", (72, 40, 160)),
    DrawnClass("/m/01j51", "Balloon", (0, 196, 120)),
    DrawnClass("/m/09qck", "Banana", (255, 236, 110)),
    DrawnClass("/m/015p6", "Bird", (52, 104, 214), 2),
    DrawnClass("/m/019jd", "Boat", (24, 52, 120)),
    DrawnClass("/m/01bjv", "Bus", (250, 168, 16)),
    DrawnClass("/m/0cyf8", "Butterfly", (158, 58, 198)),
    DrawnClass("/m/0k4j", "Car", (206, 32, 44), 2),
    DrawnClass("/m/01yrx", "Cat", (214, 120, 52), 5),
    DrawnClass("/m/0bt9lr", "Dog", (121, 72, 40), 3),
    DrawnClass("/m/09ddx", "Duck", (248, 214, 54)),
    DrawnClass("/m/0ch_cf", "Fish", (238, 96, 134)),
    DrawnClass("/m/0c9ph5", "Flower", (232, 60, 190)),
    DrawnClass("/m/03jm5", "House", (176, 84, 72)),
    DrawnClass("/m/02zt3", "Kite", (0, 168, 178)),
    DrawnClass("/m/0cyhj_", "Orange", (255, 116, 0)),
    DrawnClass("/m/01g317", "Person", (64, 64, 72), 3),
    DrawnClass("/m/07j7r", "Tree", (22, 104, 52)),
)
"""The classes with boxes and masks, by name; `weight` 5 means five times as many objects as `weight` 1."""

ROOT = "/m/0bl9f"
WOODEN = "/m/083vt"
DUCKS = "/m/01c_0l"
"""A class of whole photos whose name has a comma in it."""

_ABOVE = {
    ROOT: "Entity",
    "/m/0jbk": "Animal",
    "/m/01lrl": "Carnivore",
    "/m/03vt0": "Insect",
    "/m/07yv9": "Vehicle",
    "/m/01prls": "Land vehicle",
    "/m/01rzcn": "Watercraft",
    "/m/0k5j": "Aircraft",
    "/m/02wbm": "Food",
    "/m/02xwb": "Fruit",
    "/m/05s2s": "Plant",
    "/m/0cgh4": "Building",
    "/m/0138tl": "Toy",
}
_PARTS = {"/m/083wq": "Wheel", "/m/0d4v4": "Window"}

SCENES = {
    "/m/01b2w5": "Sunset",
    "/m/01bqvp": "Sky",
    "/m/01bqwh": "Mist",
    "/m/06m_p": "Sun",
    "/m/09d_r": "Mountain",
}
"""The classes that describe a whole photo."""

BOXABLE = {drawn.label_name: drawn.name for drawn in DRAWN} | _PARTS | _ABOVE
"""All classes of the tree."""

CLASSES = BOXABLE | SCENES | {DUCKS: "Ducks, geese and swans"}
"""All classes."""

ATTRIBUTES = {WOODEN: "Wooden"}
"""The attributes of objects: what they are made of."""

# By name, for readers. Parts are separate, because several classes share one.
_TREE: dict[str, Any] = {
    "Animal": {"Carnivore": ("Cat", "Dog"), "Bird": ("Duck",), "Fish": (), "Insect": ("Butterfly",)},
    "Vehicle": {"Land vehicle": ("Bus", "Car"), "Watercraft": ("Boat",), "Aircraft": ("Airplane",)},
    "Food": {"Fruit": ("Apple", "Banana", "Orange")},
    "Plant": ("Flower", "Tree"),
    "Building": ("House",),
    "Toy": ("Ball", "Balloon", "Kite"),
    "Person": (),
}
_PARTS_OF = {"Car": ("Wheel",), "Bus": ("Wheel",), "House": ("Window",)}


def hierarchy() -> dict[str, Any]:
    """The tree of classes, in the structure of its published JSON."""
    label_names = {name: label_name for label_name, name in BOXABLE.items()}

    def node(name: str, below: Any) -> dict[str, Any]:
        entry: dict[str, Any] = {"LabelName": label_names[name]}
        pairs = below.items() if isinstance(below, dict) else [(child, ()) for child in below]
        if children := [node(*pair) for pair in pairs]:
            entry["Subcategory"] = children
        if parts := [node(part, ()) for part in _PARTS_OF.get(name, ())]:
            entry["Part"] = parts
        return entry

    return node("Entity", _TREE)
