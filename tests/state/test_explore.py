"""Finding images on the page: which ones match, in which order, at what cost."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest
from builders import image

from oidl.model import LabelType, LicenseFilter
from oidl.state.connection import StateConnection
from oidl.state.explore import ANY_REASON, Filter, find_images

from .conftest import CAT, CC0, DOG, OWL, id_of

BY = image(1).license
ALL = [0, 1, 2, 6, 7, 8, 9, 10, 11]  # that are done


def numbers(db: StateConnection, conditions: Filter, start: str = "", most: int = 50) -> list[int]:
    return [int(card.image_id, 16) for card in find_images(db, conditions, start, most).image_summaries]


@pytest.mark.parametrize(
    ("conditions", "matching"),
    [
        (Filter(), ALL),
        (Filter((CAT,)), [1, 7, 10]),
        (Filter((DOG,)), [7]),
        (Filter((DOG, CAT)), [1, 7, 10]),
        (Filter((OWL,)), []),
        (Filter((CAT,), (LabelType.BOXES,)), [1, 7]),
        (Filter((CAT,), (LabelType.LABELS,)), [10]),
        (Filter((CAT,), (LabelType.SEGMENTATIONS,)), [1]),
        (Filter(subset="test"), [10, 11]),
        (Filter(subset="train"), ALL[:-2]),
        (Filter(subset="validation"), []),
        (Filter(license=CC0), [7, 8]),
        (Filter((CAT,), subset="train", license=BY), [1]),
        (Filter(rendition="original"), [7, 8, 9, 10, 11]),
        (Filter(rendition="nothing"), []),
        (Filter(min_side=65), [7, 8, 9, 10, 11]),
        (Filter(min_side=640, max_side=720), [8, 9]),
        (Filter(max_side=64), ALL),
        (Filter(max_side=640, rendition="original"), [7, 8]),
        (Filter(reason=ANY_REASON), [3, 4, 5]),
        (Filter(reason="gone"), [3]),
        (Filter(reason="timeout"), [5]),
        (Filter(reason="dns"), []),
        (Filter((CAT,), reason=ANY_REASON), [3]),
        (Filter(reason="gone", subset="test"), []),
        (Filter(check=LicenseFilter.SAME), [1]),
        (Filter(check=LicenseFilter.CHANGED), [7]),
        (Filter(check=LicenseFilter.GONE), [8]),
        (Filter(check=LicenseFilter.NC), [7]),
        (Filter(check=LicenseFilter.FREE), [1]),
        (Filter(check=LicenseFilter.UNCHECKED), [0, 2, 6, 9, 10, 11]),
        (Filter((CAT,), check=LicenseFilter.UNCHECKED), [10]),
    ],
)
def test_images_match_every_condition(browsed: StateConnection, conditions: Filter, matching: list[int]) -> None:
    assert numbers(browsed, conditions) == matching
    backwards = find_images(browsed, conditions, "g", 50, is_backwards=True)
    assert [int(card.image_id, 16) for card in backwards.image_summaries] == matching[::-1]
    assert backwards.next is None


FIELDS: dict[str, tuple[object, ...]] = {
    "label_names": ((CAT,), (DOG,)),
    "subset": ("train", "test"),
    "rendition": ("original",),
    "reason": (ANY_REASON, "gone"),
    "license": (CC0,),
    "check": (LicenseFilter.SAME, LicenseFilter.UNCHECKED),
    "min_side": (100,),
}


def test_two_conditions_find_what_both_of_them_find(browsed: StateConnection) -> None:
    """Whichever index is walked along, the others are not forgotten."""

    def found(values: dict[str, object]) -> set[int]:
        is_of_failed = {"reason": ANY_REASON} if "reason" in values else {}
        each = [set(numbers(browsed, Filter(**{**is_of_failed, name: value}))) for name, value in values.items()]
        return set.intersection(*each)

    for one, other in itertools.combinations(FIELDS, 2):
        for values in itertools.product(FIELDS[one], FIELDS[other]):
            both = dict(zip((one, other), values, strict=True))
            if "reason" in both and {"rendition", "min_side"} & set(both):
                continue  # an image that failed needs no file, so such a filter alone finds others
            assert set(numbers(browsed, Filter(**both))) == found(both), both


@pytest.mark.parametrize("conditions", [Filter(), Filter((CAT,)), Filter(subset="train"), Filter(reason=ANY_REASON)])
@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_search_continues_where_it_stopped_in_both_directions(
    browsed: StateConnection, conditions: Filter, most: int
) -> None:
    for is_backwards, start in ((False, ""), (True, "g")):
        next_: str | None = start
        found: list[int] = []
        while next_ is not None:
            part = find_images(browsed, conditions, next_, most, is_backwards=is_backwards)
            found += [int(card.image_id, 16) for card in part.image_summaries]
            assert len(part.image_summaries) <= most
            next_ = part.next
        whole = numbers(browsed, conditions)
        assert found == (whole[::-1] if is_backwards else whole)


def test_backwards_from_the_first_image_there_is_nothing(browsed: StateConnection) -> None:
    first = find_images(browsed, Filter(), id_of(0), 1, is_backwards=True)
    assert ([card.image_id for card in first.image_summaries], first.next) == ([id_of(0)], None)
    assert find_images(browsed, Filter(), "", 1, is_backwards=True).next is None


def test_a_search_ends_when_its_time_is_over(browsed: StateConnection) -> None:
    """Each look at the clock takes an hour, so a search sees one piece of the images only."""
    extend(browsed, 3_000)
    hours = itertools.count()
    conditions = Filter(license="https://example.org/none")
    part = find_images(browsed, conditions, "", 50, clock=lambda: 3600.0 * next(hours))
    assert (part.image_summaries, part.next) == ((), f"{63:016x}0")
    last = find_images(browsed, conditions, part.next or "", 50, search_s=60)
    assert (last.image_summaries, last.next) == ((), None)


def extend(db: StateConnection, last: int) -> None:
    """More images of `train`, done, each with a thumbnail."""
    db.execute(
        "INSERT INTO download (image_id, subset, status) WITH RECURSIVE n(i) AS (VALUES (12) UNION ALL SELECT i + 1 "
        "FROM n WHERE i < ?) SELECT printf('%016x', i), 'train', 'done' FROM n",
        (last,),
    )
    db.execute(
        "INSERT INTO file (image_id, rendition, path, bytes, width, height, written_at) "
        "SELECT image_id, 'thumbs', image_id || '.jpg', 1, 64, 64, '' FROM download WHERE image_id > ?",
        (id_of(11),),
    )


@pytest.mark.parametrize(
    "conditions",
    [
        Filter((DOG,)),
        Filter((CAT,), subset="train"),
        Filter(rendition="original"),
        Filter(subset="test"),
        Filter(reason="gone"),
        Filter(check=LicenseFilter.CHANGED, license=CC0),
    ],
)
def test_a_rare_condition_costs_no_walk_over_all_images(browsed: StateConnection, conditions: Filter) -> None:
    extend(browsed, 3_000)
    steps: list[int] = []
    browsed.set_progress_handler(lambda: steps.append(1), 100)
    find_images(browsed, conditions, "", 50)
    browsed.set_progress_handler(None, 0)
    assert len(steps) < 40, "as many as for a few images, not for 3,000"


def plans_of(db: StateConnection, question: Callable[[StateConnection], object]) -> Iterator[tuple[str, list[str]]]:
    """The statements that a question runs, and how SQLite executes each."""
    statements: list[str] = []
    db.set_trace_callback(statements.append)
    question(db)
    db.set_trace_callback(None)
    for sql in statements:
        yield sql, [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}")]


SMALL = ("status_count", "rendition", "license_count", "r", "s")  # tables of a few rows, and joins with them


def walked(plan: list[str]) -> str:
    """The step that walks along an index: the first one that is not about a list of ImageIDs."""
    return next(step for step in plan if step.startswith("SEARCH"))


@pytest.mark.parametrize(
    ("conditions", "index"),
    [
        (Filter(), "file USING PRIMARY KEY (image_id>?)"),
        (Filter(rendition="original"), "file USING COVERING INDEX file_by_rendition (rendition=? AND image_id>?)"),
        (Filter((CAT,), (LabelType.BOXES,)), "box USING COVERING INDEX box_by_class (label_name=? AND image_id>?)"),
        (
            Filter((CAT,), (LabelType.LABELS,)),
            "label USING COVERING INDEX label_by_class (label_name=? AND image_id>?)",
        ),
        (
            Filter((CAT,), (LabelType.SEGMENTATIONS,)),
            "segmentation USING COVERING INDEX segmentation_by_class (label_name=? AND image_id>?)",
        ),
        (Filter(subset="test"), "download USING COVERING INDEX download_by_subset (subset=? AND image_id>?)"),
        (Filter(reason="gone"), "download USING COVERING INDEX download_by_reason (reason=? AND image_id>?)"),
        (Filter(reason=ANY_REASON), "download USING COVERING INDEX download_by_reason (reason=? AND image_id>?)"),
        (
            Filter(check=LicenseFilter.CHANGED),
            "license_check USING COVERING INDEX license_check_by_verdict (verdict=? AND image_id>?)",
        ),
        (
            Filter(check=LicenseFilter.NC),
            "license_check USING COVERING INDEX license_check_by_class (license_class=? AND image_id>?)",
        ),
        (Filter(check=LicenseFilter.UNCHECKED), "file USING PRIMARY KEY (image_id>?)"),
        (Filter(min_side=100, license=BY), "file USING PRIMARY KEY (image_id>?)"),
    ],
)
@pytest.mark.parametrize("is_backwards", [False, True], ids=["", "backwards"])
def test_a_search_walks_along_the_index_of_its_condition(
    browsed: StateConnection, conditions: Filter, index: str, is_backwards: bool
) -> None:
    start = "g" if is_backwards else ""
    plans = plans_of(browsed, lambda db: find_images(db, conditions, start, 5, is_backwards=is_backwards))
    ((_, plan),) = [(sql, plan) for sql, plan in plans if "json_group_array" in sql]
    assert walked(plan).removeprefix("SEARCH ") == (index.replace(">?", "<?") if is_backwards else index)


@pytest.mark.parametrize("field", [None, *FIELDS])
@pytest.mark.parametrize("is_backwards", [False, True], ids=["", "backwards"])
def test_no_search_reads_a_table_or_sorts_it(browsed: StateConnection, field: str | None, is_backwards: bool) -> None:
    everything = {name: values[0] for name, values in FIELDS.items()}
    one = {field: FIELDS[field][0]} if field else {}
    two = [replace(Filter(**one), **{name: value}) for name, value in everything.items()]
    for conditions in [Filter(**one), Filter(**everything), *two]:
        start = "g" if is_backwards else ""
        question = partial(find_images, conditions=conditions, start=start, most=5, is_backwards=is_backwards)
        for sql, plan in plans_of(browsed, question):
            scans = [step for step in plan if step.startswith("SCAN") and "VIRTUAL TABLE" not in step]
            assert [step for step in scans if step.split()[1] not in SMALL and "(subquery" not in step] == [], (
                sql,
                plan,
            )
            is_small = any(f"FROM {table}" in sql for table in SMALL)
            assert is_small or not [step for step in plan if "TEMP B-TREE" in step], (sql, plan)
