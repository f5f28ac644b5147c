"""What a run would fetch, counted without fetching: images and bytes by subset and by class, and how fast it goes.

Of a whole list it is read off tallies and a sample of sizes, so at once over nine
million rows; of chosen images each is looked up.
"""

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from oidl.model import Rendition, Status
from oidl.state.counts import read_counts
from oidl.state.estimate import mean_original_bytes
from oidl.state.queue import PRESENT, wanted_values


@dataclass(frozen=True, slots=True)
class Share:
    """So many images, whose originals have so many bytes as published."""

    images: int
    bytes: float


# Pending, waiting, or done without all that is wanted.
_LEFT = f"(d.status IN ('pending', 'retry') OR d.status = 'done' AND {PRESENT} < :wanted_count)"


def plan_all(
    db: sqlite3.Connection, subsets: tuple[str, ...], wanted: Sequence[Rendition], kept: Collection[str] = ()
) -> dict[str, Share]:
    """By subset, about what is left to do of all images of `subsets` (empty is all).

    An image must have all of `wanted`, but only one of those that are named in `kept`.
    """
    counts = read_counts(db)
    there = {name: files for name, (files, _) in counts.files.items()}
    files = [there.get(rendition.name, 0) for rendition in wanted if rendition.name not in kept]
    if kept:
        files.append(sum(there.get(name, 0) for name in kept))
    done = sum(row[Status.DONE] for subset, row in counts.by_subset.items() if not subsets or subset in subsets)
    lacking = max(0, done - min(files, default=done))  # of which subset is not known without looking at each
    shares = {}
    for subset, row in counts.by_subset.items():
        if not subsets or subset in subsets:
            left = row[Status.PENDING] + row[Status.RETRY] + (lacking * row[Status.DONE] // done if done else 0)
            shares[subset] = Share(left, left * mean_original_bytes(db, (subset,)) if left else 0.0)
    return shares


def plan_chosen(
    db: sqlite3.Connection, subsets: tuple[str, ...], wanted: Sequence[Rendition], kept: Collection[str] = ()
) -> dict[str, Share]:
    """By subset, what is left to do of the images in `temp.chosen`."""
    rows = db.execute(
        # Rows of the list lie in no order; they are looked up only where the choice did not come by the sizes.
        "SELECT d.subset, count(*), sum(coalesce(c.original_size, "
        "(SELECT i.original_size FROM image AS i WHERE i.image_id = c.image_id))) "
        "FROM temp.chosen AS c CROSS JOIN download AS d ON d.image_id = c.image_id "
        f"WHERE {_LEFT} GROUP BY d.subset ORDER BY d.subset",
        wanted_values(wanted, kept),
    )
    return {subset: Share(images, size) for subset, images, size in rows}


def plan_classes(db: sqlite3.Connection, wanted: Sequence[Rendition], kept: Collection[str] = ()) -> dict[str, Share]:
    """By class (its name in words), what is left to do of the chosen images that show it; most images first."""
    rows = db.execute(
        "SELECT coalesce(k.display_name, c.class), count(*) AS images, sum(i.original_size) FROM temp.candidate AS c "
        "CROSS JOIN temp.chosen AS n ON n.image_id = c.image_id "
        "CROSS JOIN download AS d ON d.image_id = c.image_id CROSS JOIN image AS i ON i.image_id = c.image_id "
        f"LEFT JOIN class AS k ON k.label_name = c.class WHERE {_LEFT} GROUP BY c.class ORDER BY images DESC, 1",
        wanted_values(wanted, kept),
    )
    return {name: Share(images, size) for name, images, size in rows}


def learned_pace(db: sqlite3.Connection) -> float | None:
    """Images a second, as the last run came to, or its provider bears if that is less; None if it is not known."""
    speeds = db.execute("SELECT images_per_s FROM run WHERE images_per_s > 0 ORDER BY id DESC LIMIT 1").fetchone()
    (rate,) = db.execute("SELECT max(coalesce(rate, learned_rate)) FROM pace").fetchone()
    known = [value for value in (speeds and speeds[0], rate) if value]
    return min(known, default=None)
