"""The success and failure CSVs: published bytes, in published order, whole or not at all."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from builders import LIST, image, job

from oidl.errors import StateError
from oidl.export.outcomes_csv import export_csvs
from oidl.model import (
    CheckResult,
    CheckSource,
    Done,
    Failure,
    Image,
    PublishedPhoto,
    Reason,
    RetryDecision,
    Source,
    Status,
    Verdict,
)
from oidl.state.connection import StateConnection
from oidl.state.ledger import Ledger
from oidl.state.licenses import MadeCheck, record_checks
from oidl.state.load import ImageList, NoReading, load_list

HEADER = (
    b"ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,"
    b"Author,Title,OriginalSize,OriginalMD5,Thumbnail300KURL"
)
DONE = Done(Source.ORIGINAL, "u", 500, "m", 8, 6, ())


def row(number: int, subset: str = "train") -> bytes:
    """The published row of `image(number, subset)`."""
    return (
        f"{number:016x},{subset},https://c1.staticflickr.com/1/{number}_0a1b2c_o.jpg,"
        f"https://www.flickr.com/photos/someone/{number},https://creativecommons.org/licenses/by/2.0/,"
        'https://www.flickr.com/people/someone/,"Some One","A ""title"", with &amp; and é",'
        f"{1000 + number},1B2M2Y8AsgTpgAmY7PhCfg==,https://c1.staticflickr.com/1/{number}_0a1b2c_z.jpg"
    ).encode()


@pytest.fixture
def ledger(loaded_db: StateConnection) -> Ledger:
    ledger = Ledger(loaded_db)
    ledger.open_run({})
    return ledger


def fail(ledger: Ledger, number: int, detail: str, status: Status = Status.FAILED) -> None:
    ledger.failed(job(number), Failure(Reason.HTTP_ERROR, detail), RetryDecision(status))


def test_rows_are_the_published_bytes_and_the_tried_ones_only(
    loaded_db: StateConnection, ledger: Ledger, tmp_path: Path
) -> None:
    ledger.done(job(3), DONE)
    ledger.done(job(1), DONE)
    ledger.done(job(10), DONE)
    fail(ledger, 2, "HTTP 400")
    train, test = tmp_path / "2017_11/train", tmp_path / "2017_11/test"
    assert export_csvs(loaded_db, tmp_path) == {
        train / "images-success.csv": 2,
        train / "images-failure.csv": 1,
        test / "images-success.csv": 1,
        test / "images-failure.csv": 0,
    }
    assert (train / "images-success.csv").read_bytes() == b"\n".join([HEADER, row(1), row(3), b""])
    assert (train / "images-failure.csv").read_bytes() == (
        HEADER + b",FailureDetails\n" + row(2) + b",http_error: HTTP 400\n"
    )
    assert (test / "images-success.csv").read_bytes() == b"\n".join([HEADER, row(10, "test"), b""])
    assert (test / "images-failure.csv").read_bytes() == HEADER + b",FailureDetails\n"


@pytest.mark.parametrize(
    ("detail", "status", "field"),
    [
        ("", Status.FAILED, b"http_error"),
        ("", Status.RETRY, b"http_error (will be retried)"),
        ("HTTP 500", Status.RETRY, b"http_error: HTTP 500 (will be retried)"),
        ("a, b", Status.FAILED, b'"http_error: a, b"'),
        ('a "b"', Status.FAILED, b'"http_error: a ""b"""'),
        ("a\r\nb\n  c\t", Status.FAILED, b"http_error: a b c"),
        ("é – 公園", Status.FAILED, "http_error: é – 公園".encode()),
    ],
)
def test_failure_details_are_one_field_on_one_line(
    loaded_db: StateConnection, ledger: Ledger, tmp_path: Path, detail: str, status: Status, field: bytes
) -> None:
    fail(ledger, 2, detail, status)
    export_csvs(loaded_db, tmp_path)
    written = (tmp_path / "2017_11/train/images-failure.csv").read_bytes()
    assert written.split(b"\n")[1:] == [row(2) + b"," + field, b""]


def test_rows_come_in_published_order_whatever_their_imageids(db: StateConnection, tmp_path: Path) -> None:
    numbers = [7, 2, 9, 4]
    load_list(db, LIST, ("train",), [image(number) for number in numbers])
    ledger = Ledger(db)
    ledger.open_run({})
    for number in sorted(numbers):
        ledger.done(job(number), DONE)
    export_csvs(db, tmp_path)
    written = (tmp_path / "2017_11/train/images-success.csv").read_bytes()
    assert written == b"\n".join([HEADER, *map(row, numbers), b""])


def test_a_later_list_has_its_rotation_and_quotes_only_where_needed(db: StateConnection, tmp_path: Path) -> None:
    turned: list[Image] = [image(1, rotation="270.0"), image(2, rotation="", title="Plain")]
    load_list(db, ImageList("4", "2018_04", "list.csv"), ("train",), turned, NoReading(("minimal", "lf")))
    ledger = Ledger(db)
    ledger.open_run({})
    ledger.done(job(1), DONE)
    fail(ledger, 2, "x")
    export_csvs(db, tmp_path)
    directory = tmp_path / "2018_04/train"
    plain = [row(number).replace(b'"Some One"', b"Some One") for number in (1, 2)]
    plain[1] = plain[1].replace(b'"A ""title"", with &amp; and \xc3\xa9"', b"Plain")
    assert (directory / "images-success.csv").read_bytes() == HEADER + b",Rotation\n" + plain[0] + b",270.0\n"
    assert (directory / "images-failure.csv").read_bytes() == (
        HEADER + b",Rotation,FailureDetails\n" + plain[1] + b",,http_error: x\n"
    )


def test_each_subset_is_written_as_its_own_list_was(db: StateConnection, tmp_path: Path) -> None:
    newest = ImageList("7", "v7", "list.csv")
    load_list(db, newest, ("train",), [image(1, rotation="90.0", title="Plain")], NoReading(("minimal", "lf")))
    load_list(db, newest, ("test",), [image(2, "test")], NoReading(("author-title", "crlf")))
    ledger = Ledger(db)
    ledger.open_run({})
    ledger.done(job(1), DONE)
    ledger.done(job(2), DONE)
    export_csvs(db, tmp_path)
    train, test = ((tmp_path / "v7" / subset / "images-success.csv").read_bytes() for subset in ("train", "test"))
    assert train.startswith(HEADER + b",Rotation\n")
    assert train.endswith(b",90.0\n")
    assert test == HEADER + b"\r\n" + row(2, "test") + b"\r\n"


def test_another_destination_has_a_directory_for_each_subset(loaded_db: StateConnection, tmp_path: Path) -> None:
    dest = tmp_path / "elsewhere"
    assert {path.relative_to(dest).as_posix() for path in export_csvs(loaded_db, tmp_path / "root", dest)} == {
        f"{subset}/{name}" for subset in ("train", "test") for name in ("images-success.csv", "images-failure.csv")
    }
    assert not (tmp_path / "root").exists()


def test_an_export_that_breaks_off_leaves_the_files_of_the_one_before(
    loaded_db: StateConnection, ledger: Ledger, tmp_path: Path
) -> None:
    ledger.done(job(1), DONE)
    export_csvs(loaded_db, tmp_path)
    directory = tmp_path / "2017_11/train"
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    fail(ledger, 2, "x")
    loaded_db.execute("UPDATE download SET detail = CAST(x'ff' AS TEXT) WHERE image_id = ?", (image(2).image_id,))
    with pytest.raises(sqlite3.OperationalError, match="UTF-8"):  # after the row of the first image
        export_csvs(loaded_db, tmp_path)
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before
    assert before.keys() == {"images-success.csv", "images-failure.csv"}


def test_without_a_list_there_is_nothing_to_export(db: StateConnection, tmp_path: Path) -> None:
    with pytest.raises(StateError, match="there is no image list in the database yet"):
        export_csvs(db, tmp_path / "root")
    assert not (tmp_path / "root").exists()


def test_licences_come_last_and_only_if_they_are_asked_for(
    loaded_db: StateConnection, ledger: Ledger, tmp_path: Path
) -> None:
    ledger.done(job(3), DONE)
    ledger.done(job(1), DONE)
    fail(ledger, 2, "HTTP 400")
    published = image(3)
    photo = PublishedPhoto(published.image_id, "train", "", published.license, "", "")
    at = datetime(2026, 11, 29, tzinfo=UTC)
    found = CheckResult(Verdict.CHANGED, license_url="https://example.org/a,b", license_id=0)
    record_checks(loaded_db, [MadeCheck(photo, CheckSource.OEMBED, found)], at)
    train = tmp_path / "2017_11/train"
    export_csvs(loaded_db, tmp_path)
    assert (train / "images-success.csv").read_bytes() == b"\n".join([HEADER, row(1), row(3), b""])
    export_csvs(loaded_db, tmp_path, with_source=True, with_license=True)
    more = b",LicenseVerdict,LicenseNow,LicenseChecked"
    assert (train / "images-success.csv").read_bytes().splitlines() == [
        HEADER + b",Source" + more,
        row(1) + b",original,,,",
        row(3) + b',original,changed,"https://example.org/a,b",2026-11-29T00:00:00.000Z',
    ]
    assert (train / "images-failure.csv").read_bytes().splitlines() == [
        HEADER + b",FailureDetails" + more,
        row(2) + b",http_error: HTTP 400,,,",
    ]
