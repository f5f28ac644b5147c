"""Checks of licences: recorded, looked up, counted, and used to choose images."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from oidl.hints import command
from oidl.model import CheckResult, CheckSource, LicenseClass, LicenseFilter, PublishedPhoto, Verdict
from oidl.state.connection import transaction
from oidl.state.times import timestamp

_VERDICTS: frozenset[str] = frozenset(Verdict)
_CLASSES: frozenset[str] = frozenset(LicenseClass)


CHECK_COLUMNS = ", ".join(
    f"coalesce((SELECT l.{column} FROM license_check AS l WHERE l.image_id = i.image_id), '')"
    for column in ("verdict", "license_url", "checked_at")
)
"""The verdict of an image (i) in a query, the licence that was found and when; '' without a check."""


class LicenseCheckRow(NamedTuple):
    """The last check of an image, as in `license_check`."""

    image_id: str
    checked_at: str
    verdict: str
    reason: str | None
    license_url: str | None
    license_class: str | None
    author_name: str | None
    author_url: str | None
    at_release: str | None
    via: str


class LicenseCount(NamedTuple):
    """How many images of a subset have a verdict, and a licence of a class, "" if that is unknown."""

    subset: str
    verdict: str
    license_class: str
    images: int


class MadeCheck(NamedTuple):
    """A check of a photo that was made, by which source, and its result."""

    photo: PublishedPhoto
    via: CheckSource
    result: CheckResult


def record_checks(db: sqlite3.Connection, checks: Iterable[MadeCheck], at: datetime) -> None:
    """Records `checks`, made at the time `at`, in one transaction; they replace earlier ones of the same images."""
    with transaction(db):
        for photo, via, found in checks:
            db.execute(
                "INSERT INTO license_check VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "subset = excluded.subset, checked_at = excluded.checked_at, via = excluded.via, "
                "verdict = excluded.verdict, reason = excluded.reason, http_status = excluded.http_status, "
                "license_url = excluded.license_url, license_id = excluded.license_id, "
                "license_class = excluded.license_class, author_name = excluded.author_name, "
                "author_url = excluded.author_url, at_release = coalesce(excluded.at_release, at_release)",
                (
                    photo.image_id,
                    photo.subset,
                    timestamp(at),
                    via,
                    found.verdict,
                    found.reason or None,
                    found.http_status,
                    found.license_url,
                    found.license_id,
                    found.license_class,
                    found.author_name,
                    found.author_url,
                    found.at_release,
                ),
            )
            if found.changes or found.at_release:  # another source knows no history, and leaves it as it is
                db.execute("DELETE FROM license_change WHERE image_id = ?", (photo.image_id,))
            db.executemany(
                "INSERT OR REPLACE INTO license_change VALUES (?, ?, ?, ?)",
                ((photo.image_id, each.changed_at, each.old_url, each.new_url) for each in found.changes),
            )


def license_check(db: sqlite3.Connection, image_id: str) -> LicenseCheckRow | None:
    """The last check of an image; None if there is none."""
    row = db.execute(
        f"SELECT {', '.join(LicenseCheckRow._fields)} FROM license_check WHERE image_id = ?", (image_id,)
    ).fetchone()
    return LicenseCheckRow._make(row) if row else None


def license_counts(db: sqlite3.Connection) -> list[LicenseCount]:
    """The checked images by subset, verdict and class; read from counts, so instant for any number of them."""
    rows = db.execute(
        "SELECT subset, verdict, license_class, images FROM license_count WHERE images > 0 "
        "ORDER BY subset, verdict, license_class"
    )
    return [LicenseCount._make(row) for row in rows]


def license_condition(words: Sequence[LicenseFilter], image_id: str) -> str:
    """SQL that is true if the image with the ImageID `image_id`, an expression, matches one of `words`."""
    verdicts = [f"'{word}'" for word in words if word in _VERDICTS]
    classes = [f"'{word}'" for word in words if word in _CLASSES]
    found = [f"c.verdict IN ({', '.join(verdicts)})"] if verdicts else []
    found += [f"c.license_class IN ({', '.join(classes)})"] if classes else []
    conditions = []
    if found:
        conditions.append(f"{image_id} IN (SELECT c.image_id FROM license_check AS c WHERE {' OR '.join(found)})")
    if LicenseFilter.UNCHECKED in words:
        conditions.append(f"{image_id} NOT IN (SELECT c.image_id FROM license_check AS c)")
    return f"({' OR '.join(conditions) or 'true'})"


class UnmetLicense(NamedTuple):
    """Why `--license` chooses no image, and what to do about it."""

    why: str
    hint: str


def unmet_license(db: sqlite3.Connection, words: Sequence[LicenseFilter], chosen: int | None) -> UnmetLicense | None:
    """Why a selection with `words` has no image; None if it has some, or if `words` are not to blame."""
    if not words or chosen != 0:
        return None
    condition = license_condition(words, "d.image_id")
    if db.execute(f"SELECT EXISTS (SELECT 1 FROM download AS d WHERE {condition})").fetchone()[0]:
        return UnmetLicense(f"no image meets --license {','.join(words)} and the other options", "choose other images")
    if not license_counts(db):
        return UnmetLicense("no image has a licence check", f"run {command('check-licenses', '--of all')} first")
    return UnmetLicense(f"no image meets --license {','.join(words)}", "choose others; see `oidl help licenses`")


def checks_of(db: sqlite3.Connection, image_ids: Iterable[str]) -> Iterator[LicenseCheckRow]:
    """The last checks of those of `image_ids` that have one."""
    for image_id in image_ids:
        if row := license_check(db, image_id):
            yield row
