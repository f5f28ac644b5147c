"""The classes of an export and their numbers.

The classes of boxes, masks and labels come first; further classes of other kinds get higher numbers. So a category has
the same number whether the other kinds are exported or not.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from oidl.export.image import Category
from oidl.export.text import plain
from oidl.model import LabelType
from oidl.state.connection import StateConnection
from oidl.state.file_annotations import LabelClass, classes_of, known_classes

_OTHER_KINDS = (LabelType.RELATIONSHIPS, LabelType.POINTS)


@dataclass(frozen=True, slots=True)
class Categories:
    """The categories of boxes, masks and labels (`of_objects`), and those of relationships and points, by number."""

    of_objects: Sequence[Category]
    of_others: Mapping[LabelType, Sequence[Category]]

    @property
    def by_label_name(self) -> dict[str, Category]:
        """All categories, by label name."""
        every = (self.of_objects, *self.of_others.values())
        return {category.label_name: category for some in every for category in some}


def export_categories(
    db: StateConnection, kinds: Collection[LabelType], label_names: Collection[str] | None
) -> Categories:
    """The categories of `kinds`; only those of `label_names`, in their order, if given.

    A relationship of a given class may be to any other class, so relationships always keep all their classes.
    """
    if label_names is None:
        classes = known_classes(db, [kind for kind in kinds if kind not in _OTHER_KINDS] or [LabelType.BOXES])
    else:
        classes = classes_of(db, label_names)
    others = {kind: known_classes(db, [kind]) for kind in _OTHER_KINDS if kind in kinds}
    if label_names is not None and LabelType.POINTS in others:
        others[LabelType.POINTS] = classes
    every = {each.label_name: each for each in (*classes, *(each for more in others.values() for each in more))}
    numbered = dict(zip(every, numbered_categories(list(every.values())), strict=True))
    return Categories(
        [numbered[each.label_name] for each in classes],
        {
            kind: sorted((numbered[each.label_name] for each in more), key=lambda category: category.number)
            for kind, more in others.items()
        },
    )


def numbered_categories(classes: Sequence[LabelClass]) -> list[Category]:
    """`classes` in their order, numbered from 1; a name that is not unique gets the MID appended."""
    names = [plain(each.display_name or each.label_name) for each in classes]
    uses = Counter(names)
    return [
        Category(
            number,
            each.label_name,
            name if uses[name] == 1 else f"{name} ({each.label_name})",
            plain(each.parent or name),
        )
        for number, (each, name) in enumerate(zip(classes, names, strict=True), start=1)
    ]
