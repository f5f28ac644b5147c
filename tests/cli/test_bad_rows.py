"""Bad rows of an image list: reported by line and skipped, unless there are too many."""

import pytest
from refusals import HEADER


@pytest.fixture
def many_rows(fine) -> list[bytes]:
    """Five hundred rows; the first are those of the dataset."""
    own = [row for rows in fine.rows().values() for row in rows]
    return own + [b"%016x" % number + own[0][16:] for number in range(500 - len(own))]


@pytest.mark.parametrize(
    ("column", "value", "complaint"),
    [
        (0, b"not-an-id", "ImageID 'not-an-id'"),
        (0, b"../../../../etc/x", "ImageID '../../../../etc/x'"),
        (1, b"practice", "Subset 'practice'"),
        (2, b"ftp://example.org/a.jpg", "OriginalURL 'ftp://example.org/a.jpg' is not an http or https URL"),
        (2, b"file:///etc/passwd", "OriginalURL 'file:///etc/passwd' is not an http or https URL"),
        (2, b"", "OriginalURL ''"),
        (8, b"many", "OriginalSize 'many'"),
        (8, b"-1", "OriginalSize '-1'"),
        (9, b"short==", "OriginalMD5 'short=='"),
        (10, b"javascript:alert(1)", "Thumbnail300KURL 'javascript:alert(1)'"),
    ],
)
def test_a_bad_row_is_reported_by_its_line_and_skipped(
    column: int, value: bytes, complaint: str, fine, many_rows, list_of, run, ask
) -> None:
    good = many_rows[7]
    fields = good.rstrip(b"\n").split(b",")
    at = column if column < 8 else column - 11  # from the end, as Author and Title may hold commas
    fields[at] = value
    rows = [*many_rows[:7], b",".join(fields) + b"\n", *many_rows[8:]]
    ended = run(fine, "--images-csv", list_of(HEADER + b"".join(rows)), "--limit=5")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"list.csv line 9: {complaint}" in ended.stdout
    assert ended.stdout.count("skipped when") == 1
    assert "bad and skipped" not in ended.stdout
    assert "1 row of the image list was skipped when it was loaded" in ended.stdout
    assert ask("SELECT count(*) FROM image") == [(499,)]
    assert ask("SELECT count(*) FROM download WHERE status = 'done'") == [(5,)]
    assert not ask("SELECT 1 FROM image WHERE image_id = ?", good[:16].decode())


def test_rows_with_too_few_fields_are_reported_too(fine, many_rows, list_of, run) -> None:
    rows = [*many_rows[:7], b"0123456789abcdef,train\n", *many_rows[8:]]
    ended = run(fine, "--images-csv", list_of(HEADER + b"".join(rows)), "--limit=0")
    assert ended.returncode == 0
    assert "list.csv line 9: 2 fields instead of 11" in ended.stdout


def test_more_than_one_per_cent_of_bad_rows_stops_the_run(many_rows, list_of, refused, root) -> None:
    bad = [b"x" + row for row in many_rows[:6]]
    refused(
        4,
        "--images-csv",
        list_of(HEADER + b"".join(bad + many_rows[6:])),
        names="are bad: 6 of the first 500",
    )
    assert not root.exists()


def test_one_per_cent_of_bad_rows_does_not(fine, many_rows, list_of, run, ask) -> None:
    bad = [b"x" + row for row in many_rows[:5]]
    ended = run(fine, "--images-csv", list_of(HEADER + b"".join(bad + many_rows[5:])), "--limit=0")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "5 rows of the image list were skipped when it was loaded" in ended.stdout
    assert ask("SELECT count(*) FROM image") == [(495,)]


def test_a_repeated_image_id_keeps_its_first_row_and_is_reported(fine, many_rows, list_of, run, ask) -> None:
    twice = many_rows[3][:16] + many_rows[4][16:]
    ended = run(fine, "--images-csv", list_of(HEADER + b"".join([*many_rows, twice])), "--limit=0")
    assert (ended.returncode, ended.stderr) == (0, "")
    image_id = many_rows[3][:16].decode()
    assert f"line 502: ImageID {image_id} is already in line 5, with other bytes; the first is kept" in ended.stdout
    assert "1 row of the image list was skipped" in ended.stdout
    assert ask("SELECT count(*) FROM image") == [(500,)]
    assert ask("SELECT original_url FROM image WHERE image_id = ?", image_id) == [
        (many_rows[3].split(b",")[2].decode(),)
    ]
