"""Checks of licences: recorded once an image, counted, found along indexes, and used to choose images."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from builders import image

from oidl.model import (
    CheckResult,
    CheckSource,
    LicenseChange,
    LicenseFilter,
    PublishedPhoto,
    Verdict,
    license_of_id,
)
from oidl.settings import Selection
from oidl.state.connection import StateConnection
from oidl.state.database import open_reader
from oidl.state.licenses import (
    MadeCheck,
    license_check,
    license_condition,
    license_counts,
    record_checks,
)
from oidl.state.selection import select_images, selected_ids

AT = datetime(2026, 11, 29, 12, tzinfo=UTC)
WORDS = (LicenseFilter.SAME, LicenseFilter.FREE, LicenseFilter.UNCHECKED)


def photo(number: int, subset: str = "train") -> PublishedPhoto:
    row = image(number, subset)
    return PublishedPhoto(
        row.image_id, subset, row.original_landing_url, row.license, row.author_profile_url, row.author
    )


def with_license(verdict: Verdict, number: int) -> CheckResult:
    found = license_of_id(number)
    assert found
    return CheckResult(verdict, "", 200, found.url, found.id, "Some One", "https://www.flickr.com/photos/someone/")


@pytest.fixture
def checked(loaded_db: StateConnection) -> StateConnection:
    """Photos 0 and 1 the same, 2 now BY 4.0, 3 BY-NC, 4 reserved, 5 gone, 10 (test) BY-ND; the others unchecked."""
    found = {
        0: with_license(Verdict.SAME, 4),
        1: with_license(Verdict.SAME, 4),
        2: with_license(Verdict.CHANGED, 11),
        3: with_license(Verdict.CHANGED, 2),
        4: with_license(Verdict.CHANGED, 0),
        5: CheckResult(Verdict.GONE, "HTTP 404", 404),
        10: with_license(Verdict.CHANGED, 6),
    }
    made = [
        MadeCheck(photo(number, "test" if number == 10 else "train"), CheckSource.OEMBED, result)
        for number, result in found.items()
    ]
    record_checks(loaded_db, made, AT)
    return loaded_db


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ((LicenseFilter.SAME,), [0, 1]),
        ((LicenseFilter.FREE,), [0, 1, 2]),
        ((LicenseFilter.NC, LicenseFilter.ND), [3, 10]),
        ((LicenseFilter.RESERVED,), [4]),
        ((LicenseFilter.GONE, LicenseFilter.UNCHECKED), [5, 6, 7, 8, 9, 11]),
        ((LicenseFilter.CHANGED, LicenseFilter.FREE), [0, 1, 2, 3, 4, 10]),
        ((LicenseFilter.PRIVATE,), []),
    ],
)
@pytest.mark.parametrize("more", [{}, {"where": "original_size > 0"}, {"ids": range(12)}])
def test_images_are_chosen_by_verdict_and_class(
    words: tuple[LicenseFilter, ...], numbers: list[int], more: dict[str, object], checked: StateConnection
) -> None:
    where, ids = more.get("where"), more.get("ids")
    with open_reader(checked.path) as reader:
        selection = Selection(license=words, where=where)  # type: ignore[arg-type]
        given = [image(number).image_id for number in ids] if ids else None  # type: ignore[attr-defined]
        assert select_images(reader, selection, given)
        assert [int(image_id, 16) for image_id in selected_ids(reader)] == numbers


def test_a_later_check_replaces_the_first_one_and_its_counts(checked: StateConnection) -> None:
    assert sum(each.images for each in license_counts(checked)) == 7
    record_checks(checked, [MadeCheck(photo(5), CheckSource.API, with_license(Verdict.SAME, 4))], AT)
    counts = {(each.subset, each.verdict, each.license_class): each.images for each in license_counts(checked)}
    assert counts == {
        ("test", "changed", "nd"): 1,
        ("train", "changed", "free"): 1,
        ("train", "changed", "nc"): 1,
        ("train", "changed", "reserved"): 1,
        ("train", "same", "free"): 3,
    }
    row = license_check(checked, photo(5).image_id)
    assert row is not None
    assert (row.verdict, row.reason, row.via, row.checked_at) == ("same", None, "api", "2026-11-29T12:00:00.000Z")


def test_a_check_that_knows_no_history_keeps_it(checked: StateConnection) -> None:
    by, reserved = license_of_id(4), license_of_id(0)
    assert by
    assert reserved
    change = LicenseChange("2015-01-01T00:00:00.000Z", reserved.url, by.url)
    history = replace(with_license(Verdict.SAME, 4), at_release=by.url, changes=(change,))
    record_checks(checked, [MadeCheck(photo(1), CheckSource.HISTORY, history)], AT)
    record_checks(checked, [MadeCheck(photo(1), CheckSource.OEMBED, with_license(Verdict.SAME, 4))], AT)
    row = license_check(checked, photo(1).image_id)
    assert row is not None
    assert row.at_release == by.url
    assert checked.execute("SELECT * FROM license_change").fetchall() == [(photo(1).image_id, *_as_row(change))]
    record_checks(checked, [MadeCheck(photo(1), CheckSource.HISTORY, replace(history, changes=()))], AT)
    assert checked.execute("SELECT count(*) FROM license_change").fetchone() == (0,)


def _as_row(change: LicenseChange) -> tuple[str, str, str]:
    return change.changed_at, change.old_url, change.new_url


def test_searches_step_along_an_index(checked: StateConnection) -> None:
    for column in ("verdict", "license_class"):
        plan = checked.execute(
            f"EXPLAIN QUERY PLAN SELECT image_id FROM license_check WHERE {column} = ? AND image_id >= ? "
            "ORDER BY image_id LIMIT 1",
            ("nd", ""),
        ).fetchall()
        assert [row[3].split(" (")[1] for row in plan] == [f"{column}=? AND image_id>?)"]


def test_a_choice_reads_the_checks_once_and_not_for_each_image(checked: StateConnection) -> None:
    condition = license_condition((LicenseFilter.SAME, LicenseFilter.FREE), "d.image_id")
    plan = checked.execute(f"EXPLAIN QUERY PLAN SELECT d.image_id FROM download AS d WHERE {condition}").fetchall()
    assert not any("CORRELATED" in row[3] for row in plan)


def test_views_show_what_was_found(checked: StateConnection) -> None:
    checked.execute(
        "UPDATE download SET status = 'done' WHERE image_id IN (?, ?)", (photo(3).image_id, photo(6).image_id)
    )
    rows = checked.execute("SELECT image_id, license_verdict, license_now, license_checked FROM success").fetchall()
    found = license_of_id(2)
    assert found
    assert rows == [
        (photo(3).image_id, "changed", found.url, "2026-11-29T12:00:00.000Z"),
        (photo(6).image_id, None, None, None),
    ]
    assert checked.execute("SELECT verdict, share FROM license_share WHERE subset = 'test'").fetchall() == [
        ("changed", 1.0)
    ]
    assert checked.execute(
        "SELECT count(*) FROM license_verdict WHERE published_license LIKE '%/by/2.0/'"
    ).fetchone() == (7,)
