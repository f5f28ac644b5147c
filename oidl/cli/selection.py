"""The selected images, for a command that writes what the database has.

The same options select the same images as in `oidl run`. The annotations that they need must be in
the database already: nothing is fetched here.
"""

import sys

from oidl.dataset.ids import read_image_ids
from oidl.settings import Selection
from oidl.state.annotation_filters import require_annotations
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
