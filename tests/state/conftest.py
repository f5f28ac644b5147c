"""A database with images to look through: done and failed ones, boxes, labels, masks, licences and their checks."""

from datetime import UTC, datetime

import pytest
from builders import THUMB, image, job

from oidl.model import (
    ORIGINAL,
    CheckResult,
    CheckSource,
    Done,
    Failure,
    PublishedPhoto,
    Reason,
    Rendition,
    RetryDecision,
    Source,
    Status,
    Verdict,
    WrittenFile,
)
from oidl.state.connection import StateConnection
from oidl.state.ledger import Ledger
from oidl.state.licenses import MadeCheck, record_checks

CAT, DOG, OWL = "/m/01yrx", "/m/0bt9lr", "/m/09d5_"
CC0 = "https://creativecommons.org/publicdomain/zero/1.0/"


def id_of(number: int) -> str:
    return image(number).image_id


@pytest.fixture
def browsed(loaded_db: StateConnection) -> StateConnection:
    """Of twelve images, 3 and 4 failed and 5 waits; 10 and 11 are in `test`.

    Boxes: cats in 1 (two), 3 and 7, a dog in 7. Labels: a cat in 10, none in 6, a machine's guess of one in 8, which
    people denied. Mask: a cat in 1. Thumbnails of 64 × 64; originals, of 100 × 80 more for each number, from 7 on.
    Licences: CC0 for 7 and 8; 1 is checked and the same, 7 has a licence without commercial use now, 8 is gone.
    """
    ledger = Ledger(loaded_db)
    ledger.register([THUMB, Rendition(ORIGINAL, ORIGINAL)])
    ledger.open_run({})
    for number in range(12):
        files = [WrittenFile("thumbs", f"{number}.jpg", 50, 64, 64)]
        if number >= 7:
            files.append(WrittenFile(ORIGINAL, f"o{number}.jpg", 900, 100 * number, 80 * number))
        ledger.done(job(number), Done(Source.ORIGINAL, "u", 1000, "md5", 90, 60, tuple(files)))
    ledger.failed(job(3), Failure(Reason.GONE), RetryDecision(Status.FAILED))
    ledger.failed(job(4), Failure(Reason.NOT_FOUND), RetryDecision(Status.FAILED))
    ledger.failed(job(5), Failure(Reason.TIMEOUT), RetryDecision(Status.RETRY))
    loaded_db.execute("UPDATE image SET license = ? WHERE image_id IN (?, ?)", (CC0, id_of(7), id_of(8)))
    loaded_db.executemany(
        "INSERT INTO box (image_id, row_number, source, label_name, confidence, x_min, x_max, y_min, y_max) "
        "VALUES (?, ?, 'xclick', ?, 1, 0.1, 0.5, 0.2, 0.4)",
        [(id_of(1), 1, CAT), (id_of(1), 2, CAT), (id_of(3), 3, CAT), (id_of(7), 4, CAT), (id_of(7), 5, DOG)],
    )
    loaded_db.executemany(
        "INSERT INTO label (image_id, label_name, source, confidence) VALUES (?, ?, ?, ?)",
        [
            (id_of(10), CAT, "verification", 1.0),
            (id_of(6), CAT, "verification", 0.0),
            (id_of(8), CAT, "machine", 0.8),
            (id_of(8), CAT, "verification", 0.0),
        ],
    )
    loaded_db.execute(
        "INSERT INTO segmentation (image_id, row_number, mask_path, label_name, box_id, box_x_min, box_x_max, "
        "box_y_min, box_y_max) VALUES (?, 1, 'x.png', ?, 'b', 0.1, 0.5, 0.2, 0.4)",
        (id_of(1), CAT),
    )
    loaded_db.executemany(
        "INSERT INTO class (label_name, display_name) VALUES (?, ?)",
        [(CAT, "Cat"), (DOG, "Hot dog"), (OWL, "Cat owl")],
    )
    checks = {
        1: CheckResult(Verdict.SAME, "", 200, "https://creativecommons.org/licenses/by/2.0/", 4),
        7: CheckResult(Verdict.CHANGED, "", 200, "https://creativecommons.org/licenses/by-nc/2.0/", 2),
        8: CheckResult(Verdict.GONE, "HTTP 404", 404),
    }
    made = [MadeCheck(_photo(number), CheckSource.OEMBED, result) for number, result in checks.items()]
    record_checks(loaded_db, made, datetime(2026, 11, 29, tzinfo=UTC))
    return loaded_db


def _photo(number: int) -> PublishedPhoto:
    row = image(number)
    return PublishedPhoto(
        row.image_id, row.subset, row.original_landing_url, row.license, row.author_profile_url, row.author
    )
