"""The choice of images for a command that gives out what the database has, made on the connection that it reads by.

The same options choose the same images as in `oidl run`. What a choice is made by must be in
the database already: nothing is fetched here.
"""

import sys

from oidl.dataset.ids import read_image_ids
from oidl.settings import Selection
from oidl.state.choice import Chosen, choose, keep_per_class
from oidl.state.connection import StateConnection
from oidl.state.evidence import check_annotated
from oidl.text import printable


def make_choice(db: StateConnection, selection: Selection) -> Chosen | None:
    """What was chosen, None for no more than subsets and a limit; ImageIDs that no list has are told of on stderr.

    A limit for each class counts images that are done.
    Raises `UsageError` where annotations that it takes are not loaded, and as `choose` does.
    """
    check_annotated(db, selection.label_types)
    chosen = told_choice(db, selection)
    if chosen and selection.limit_per_class is not None:
        chosen = keep_per_class(db, chosen, selection.limit_per_class)
    return chosen


def told_choice(db: StateConnection, selection: Selection) -> Chosen | None:
    """The same, of annotations that are known to be loaded."""
    chosen = choose(db, selection, read_image_ids(selection.image_ids) if selection.image_ids else None)
    if chosen and chosen.remark:
        print(printable(f"oidl: {chosen.remark}"), file=sys.stderr)
    return chosen
