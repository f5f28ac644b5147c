"""The selected images, for a command that writes what the database has.

The same options select the same images as in `oidl run`. The annotations that they need must be in
the database already: nothing is fetched here.
"""

import sys
from dataclasses import replace

from oidl.dataset.ids import read_image_ids
from oidl.errors import UsageError
from oidl.settings import Selection
from oidl.state.annotation_filters import require_annotations
from oidl.state.classes import requested_classes
from oidl.state.connection import StateConnection
from oidl.state.selection import SelectedImages, keep_per_class
from oidl.state.selection import select_images as select
from oidl.text import printable


def select_images(db: StateConnection, selection: Selection) -> SelectedImages | None:
    """The images of `selection`; None if it is only subsets and a limit.

    ImageIDs that are in no list are reported on stderr. A limit for each class counts images that are done.
    Raises `UsageError` if annotations that it needs are not loaded, and as `state.selection.select_images` does.
    """
    require_annotations(db, selection.label_types)
    selected = select(db, selection, read_image_ids(selection.image_ids) if selection.image_ids else None)
    if selected and selected.remark:
        print(printable(f"oidl: {selected.remark}"), file=sys.stderr)
    if selected and selection.limit_per_class is not None:
        selected = keep_per_class(db, selected, selection.limit_per_class)
    return selected


def before_annotations(selection: Selection, *, with_empty: bool) -> Selection:
    """What chooses the images before their annotations are looked at: all of it, or the part without annotations.

    Classes have an index. Without them, whether an image shows something to be written selects as well.
    """
    is_counted = selection.limit_per_class is not None
    if is_counted and with_empty:
        raise UsageError(
            "--limit-per-class and --with-empty exclude each other: one counts the images that show a class, "
            "the other adds images that show none",
            hint="leave out one of them",
        )
    if (selection.classes and not with_empty) or is_counted:
        return selection
    return replace(
        selection,
        classes=(),
        include_subclasses=False,
        label_types=(),
        verified_only=False,
        attributes=(),
        min_box_area=None,
    )


def label_names(db: StateConnection, selection: Selection) -> tuple[str, ...] | None:
    """The MIDs of the classes of `selection`, in its order; None if it names none."""
    if not selection.classes:
        return None
    found = requested_classes(db, selection.classes, include_subclasses=selection.include_subclasses)
    return tuple(dict.fromkeys(label_name for label_name, _ in found))
