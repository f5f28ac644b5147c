"""What a run would fetch, counted without fetching: images and bytes by subset and by class, and the expected speed.

For a whole list this uses counts and a sample of sizes, so it is instant for nine million rows. Selected images, and
images that are done while there are few, are looked up one by one.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from oidl.forecast import Share
from oidl.model import ORIGINAL, Reason, Rendition, Status
from oidl.settings import Selection
from oidl.state.complete import count_by_class, count_complete
from oidl.state.counts import Counts, read_counts
from oidl.state.estimate import mean_original_bytes
from oidl.state.queue import PRESENT, required_values
from oidl.state.shards import IS_REMOTE


@dataclass(frozen=True, slots=True)
class Demand:
    """The renditions that an image needs: all of `required`, but only one of those that are named in `original_names`.

    With `is_anew`, images that are done are done again. `failed` are the reasons whose permanent failures are retried:
    empty for all reasons but `license`, None for no failures. With `can_use_local`, an original on disk is not fetched.
    `mean_bytes` is the mean size of a fetched image, None for the published size of each.
    """

    required: Sequence[Rendition]
    original_names: Collection[str] = ()
    is_anew: bool = False
    failed: Collection[Reason] | None = None
    can_use_local: bool = False
    mean_bytes: float | None = None

    @property
    def values(self) -> dict[str, Any]:
        """The parameters of the conditions below."""
        failed = None if self.failed is None else json.dumps(tuple(self.failed))
        return {
            **required_values(self.required, self.original_names),
            "is_anew": self.is_anew,
            "failed": failed,
            "can_use_local": self.can_use_local and not self.is_anew,
            "mean_bytes": self.mean_bytes,
        }


_IS_TRIED_AGAIN = (
    f"d.status = 'failed' AND :failed NOTNULL AND (:failed = '[]' AND d.reason IS NOT '{Reason.LICENSE}' "
    "OR d.reason IN (SELECT value FROM json_each(:failed)))"
)
_LEFT = f"""
    (d.status IN ('pending', 'retry') OR d.status = 'done' AND (:is_anew OR {PRESENT} < :required_count)
     OR {_IS_TRIED_AGAIN})
"""
_IS_LOCAL = f"""
    (:can_use_local AND EXISTS (SELECT 1 FROM file AS o WHERE o.image_id = d.image_id AND o.rendition = 'original'
                              AND o.conversion IS NULL AND NOT {IS_REMOTE.format("o")}))
"""
_COUNTED_IMAGES = 100_000


def forecast_all(
    db: sqlite3.Connection, subsets: tuple[str, ...], demand: Demand, *, counted_images: int = _COUNTED_IMAGES
) -> dict[str, Share]:
    """By subset, approximately what is left to do for all images of `subsets` (empty: all).

    Images that are done but lack something are counted if up to `counted_images` are done, otherwise estimated.
    """
    counts = read_counts(db)
    failed = dict(
        db.execute(
            f"SELECT d.subset, sum(d.images) FROM status_count AS d WHERE {_IS_TRIED_AGAIN} GROUP BY 1", demand.values
        )
    )
    incomplete = _incomplete(db, counts, demand, counted_images)
    shares = {}
    for subset, row in counts.by_subset.items():
        if not subsets or subset in subsets:
            again, local = incomplete.get(subset, (0, 0))
            left = row[Status.PENDING] + row[Status.RETRY] + again + failed.get(subset, 0)
            mean = demand.mean_bytes or (mean_original_bytes(db, (subset,)) if left else 0.0)
            shares[subset] = Share(left, (left - local) * mean, local, again)
    return shares


def _incomplete(
    db: sqlite3.Connection, counts: Counts, demand: Demand, counted_images: int
) -> dict[str, tuple[int, int]]:
    """By subset, the number of images that are done but need work again, and how many of these use an original on disk.

    Images need work again if all are redone, or if they lack a rendition.
    """
    done = {subset: row[Status.DONE] for subset, row in counts.by_subset.items()}
    total = sum(done.values())
    if demand.is_anew or not total:
        return {subset: (images, 0) for subset, images in done.items()}
    if not demand.required:
        return {}
    # Only a look at each image shows its subset, and whether it lacks several renditions.
    if total <= counted_images:
        with_files = {
            subset: (images, incomplete_local)
            for subset, images, incomplete_local in db.execute(
                f"SELECT d.subset, sum({PRESENT} >= :required_count), sum({PRESENT} < :required_count AND {_IS_LOCAL}) "
                "FROM (SELECT DISTINCT image_id FROM file) AS e CROSS JOIN download AS d ON d.image_id = e.image_id "
                "WHERE d.status = 'done' GROUP BY 1",
                demand.values,
            )
        }
        counted = {subset: (images, *with_files.get(subset, (0, 0))) for subset, images in done.items()}
        return {subset: (images - complete, local) for subset, (images, complete, local) in counted.items()}
    files_of = {name: files for name, (files, _) in counts.files.items()}
    files = [
        files_of.get(rendition.name, 0) for rendition in demand.required if rendition.name not in demand.original_names
    ]
    if demand.original_names:
        files.append(sum(files_of.get(name, 0) for name in demand.original_names))
    incomplete = max(0, total - min(files, default=total))
    local = min(incomplete, files_of.get(ORIGINAL, 0)) if demand.values["can_use_local"] else 0
    return {subset: (-(-incomplete * images // total), local * images // total) for subset, images in done.items()}


def forecast_selected(db: sqlite3.Connection, subsets: tuple[str, ...], demand: Demand) -> dict[str, Share]:
    """By subset, what is left to do for the images in `temp.selected`."""
    rows = db.execute(
        # The rows of the list are unordered; they are looked up only if the selection has no sizes.
        "SELECT subset, count(*), sum(iif(is_local, 0, bytes)), sum(is_local), sum(status = 'done') FROM ("
        f"SELECT d.subset, d.status, {_IS_LOCAL} AS is_local, coalesce(:mean_bytes, c.original_size, "
        "(SELECT i.original_size FROM image AS i WHERE i.image_id = c.image_id)) AS bytes "
        "FROM temp.selected AS c CROSS JOIN download AS d ON d.image_id = c.image_id "
        f"WHERE {_LEFT}) GROUP BY subset ORDER BY subset",
        demand.values,
    )
    return {subset: Share(*amounts) for subset, *amounts in rows}


def forecast_classes(db: sqlite3.Connection, demand: Demand) -> dict[str, Share]:
    """By class (its display name), what is left to do for the selected images that show it; most images first."""
    rows = db.execute(
        "SELECT coalesce(k.display_name, c.class), count(*) AS images, "
        f"sum(iif({_IS_LOCAL}, 0, coalesce(:mean_bytes, i.original_size))), sum({_IS_LOCAL}) "
        "FROM temp.candidate AS c CROSS JOIN temp.selected AS n ON n.image_id = c.image_id "
        "CROSS JOIN download AS d ON d.image_id = c.image_id CROSS JOIN image AS i ON i.image_id = c.image_id "
        f"LEFT JOIN class AS k ON k.label_name = c.class WHERE {_LEFT} GROUP BY c.class ORDER BY images DESC, 1",
        demand.values,
    )
    return {name: Share(*amounts) for name, *amounts in rows}


def keep_missing(db: sqlite3.Connection, selection: Selection, demand: Demand) -> None:
    """Reduces `temp.selected` to what a run with the limits of `selection` fetches if nothing fails."""
    # In the order of the feed: images that only lack something come first.
    order = "ORDER BY d.status <> 'done', c.place"
    selected = "temp.selected AS c CROSS JOIN download AS d ON d.image_id = c.image_id"
    if selection.limit_per_class is not None:
        by_class = count_by_class(db, demand.required, demand.original_names)
        missing = {
            name: selection.limit_per_class - (0 if demand.is_anew else each.complete)
            for name, each in by_class.items()
        }
        _keep(
            db,
            "WITH need AS MATERIALIZED (SELECT key AS class, value AS missing FROM json_each(:missing)), "
            f"ranked AS (SELECT c.class, c.image_id, row_number() OVER (PARTITION BY c.class {order}) AS number "
            f"FROM temp.member AS c CROSS JOIN download AS d ON d.image_id = c.image_id WHERE {_LEFT}) "
            "SELECT r.image_id FROM ranked AS r JOIN need AS n USING (class) WHERE r.number <= n.missing",
            demand.values | {"missing": json.dumps(missing)},
        )
    if selection.limit is not None:
        _keep(
            db,
            f"SELECT c.image_id FROM {selected} WHERE {_LEFT} {order} LIMIT :missing",
            demand.values | {"missing": missing_to_limit(db, selection, demand, are_selected=True)},
        )


def missing_to_limit(db: sqlite3.Connection, selection: Selection, demand: Demand, *, are_selected: bool) -> int | None:
    """How many images are still missing to the limit for all images; None if there is no limit."""
    if selection.limit is None or demand.is_anew:
        return selection.limit
    complete = count_complete(
        db, demand.required, demand.original_names, subsets=selection.subsets, are_selected=are_selected
    )
    return max(0, selection.limit - complete)


def _keep(db: sqlite3.Connection, images: str, values: dict[str, Any]) -> None:
    db.execute(f"DELETE FROM temp.selected WHERE image_id NOT IN ({images})", values)


def new_files(
    db: sqlite3.Connection, shares: Iterable[Share], images: int, required: Iterable[Rendition]
) -> dict[str, int]:
    """By rendition, the approximate number of additional files after `images` of `shares` are done.

    Images that are done and lack another rendition keep their existing files, or get them replaced.
    """
    shares = tuple(shares)
    available = sum(share.images for share in shares)
    again = sum(share.again for share in shares) * images // available if available else 0
    counts = read_counts(db)
    done = counts.by_status[Status.DONE]
    existing = {rendition.name: counts.files.get(rendition.name, (0, 0))[0] for rendition in required}
    return {name: images - again + min(again, max(0, done - files)) for name, files in existing.items()}


def fetched_files(db: sqlite3.Connection) -> frozenset[str]:
    """The names of the lists and annotation files that are already fetched."""
    return frozenset(name for (name,) in db.execute("SELECT name FROM archive"))


def learned_pace(db: sqlite3.Connection) -> float | None:
    """Images per second: the speed of the last run, or the provider's rate if that is lower; None if unknown."""
    speeds = db.execute("SELECT images_per_s FROM run WHERE images_per_s > 0 ORDER BY id DESC LIMIT 1").fetchone()
    (rate,) = db.execute("SELECT max(coalesce(rate, learned_rate)) FROM pace").fetchone()
    known = [value for value in (speeds and speeds[0], rate) if value]
    return min(known, default=None)
