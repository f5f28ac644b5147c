"""Sources of images: the next one after a failure, a record of each, and no copy mistaken for an original."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from oidl.demo.site import CannedResponse, status_answer
from oidl.imaging.photo import photo

COPY = photo(9, 320, 240)
CHAIN = ("--source=original", "--source=cvdf", "--nodownload-metadata")


@pytest.fixture
def mirror(fine) -> Callable[..., str]:
    """Puts a copy of an image on the mirror, which the catalogue names; returns its path."""
    base_url = fine.images[0].image.original_url.rsplit("/", 2)[0]
    table = "[mirror.cvdf]\nabsent = [403, 404]\nmean_bytes = 300_000\nmax_bytes = 3_000_000\n"
    text = f'{table}url = "{base_url}/mirror/{{subset}}/{{image_id}}.jpg"\n\n'
    fine.catalogue.write_text(text + fine.catalogue.read_text())

    def put(listed, body: bytes = COPY, **headers: str) -> str:
        path = f"/mirror/{listed.image.subset}/{listed.image.image_id}.jpg"
        etag = headers or {"ETag": f'"{hashlib.md5(body).hexdigest()}"'}
        fine.site.answers[path] = CannedResponse(body, headers=etag)
        return path

    return put


def gone(fine, *images, status: int = 404) -> None:
    for listed in images:
        fine.site.answers[fine.path_of(listed)] = status_answer(status)


def where(ask) -> dict[str, tuple]:
    return {row[0]: row[1:] for row in ask("SELECT image_id, status, source, url, reason, detail FROM download")}


def test_what_is_gone_and_on_the_mirror_is_done_and_says_whose_copy_it_is(fine, mirror, run, ask, oidl, root) -> None:
    listed, other = fine.images[:2]
    gone(fine, listed)
    path = mirror(listed)
    ended = run(fine, *CHAIN)
    assert (ended.returncode, ended.stderr) == (0, "")
    status, source, url, reason, _ = where(ask)[listed.image.image_id]
    assert (status, source, reason) == ("done", "cvdf", None)
    assert url.endswith(path)
    assert where(ask)[other.image.image_id][1] == "original"
    assert fine.site.requests[path] == 1
    assert ask("SELECT source, reason, source_index FROM attempt") == [("original", "not_found", 0)]

    assert oidl("export-csv", "--root-dir", root, "--with-source", "--dest", root / "csv").returncode == 0
    rows = (root / "csv" / listed.image.subset / "images-success.csv").read_text().splitlines()
    assert rows[0].endswith(",Thumbnail300KURL,Source")
    assert {row[:16]: row.rpartition(",")[2] for row in rows[1:]}[listed.image.image_id] == "cvdf"
    assert {row.rpartition(",")[2] for row in rows[1:] if row[:16] != listed.image.image_id} == {"original"}


def test_what_is_nowhere_is_failed_for_the_first_sources_reason_and_both_are_told_of(fine, mirror, run, ask) -> None:
    first, second = fine.images[:2]
    gone(fine, first, status=410)
    gone(fine, second)
    refused = mirror(second)
    fine.site.answers[refused] = status_answer(403)
    assert run(fine, *CHAIN).returncode == 0
    set_baseline = where(ask)
    status, source, url, reason, detail = set_baseline[first.image.image_id]
    assert (status, source, reason) == ("failed", "original", "gone")
    assert url == first.image.original_url
    assert detail == "HTTP 410; cvdf: not on the mirror (HTTP 404)"
    assert set_baseline[second.image.image_id][3] == "not_found"
    query = "SELECT source, reason, http_status, source_index FROM attempt WHERE image_id = ? ORDER BY id"
    assert ask(query, second.image.image_id) == [
        ("original", "not_found", 404, 0),
        ("cvdf", "not_found", 403, 1),
    ]


def test_a_mirror_that_has_it_not_is_no_reason_where_there_is_another(fine, mirror, run, ask) -> None:
    listed = fine.images[0]
    gone(fine, listed, status=410)
    assert run(fine, "--source=cvdf", "--source=original", "--nodownload-metadata").returncode == 0
    status, source, _, reason, _ = where(ask)[listed.image.image_id]
    assert (status, source, reason) == ("failed", "original", "gone")


def test_what_may_pass_at_one_source_is_tried_again(fine, mirror, run, ask) -> None:
    listed = fine.images[0]
    gone(fine, listed)
    path = mirror(listed)
    fine.site.answers[path] = CannedResponse(COPY, first=(status_answer(500),))
    assert run(fine, *CHAIN).returncode == 0
    assert where(ask)[listed.image.image_id][:2] == ("done", "cvdf")
    assert ask("SELECT reason, source_index FROM attempt ORDER BY id") == [
        ("not_found", 0),
        ("http_error", 1),
        ("not_found", 0),
    ]


def test_an_image_that_was_changed_is_had_from_the_mirror_too(fine, mirror, run, ask) -> None:
    listed = fine.images[0]
    published = fine.site.answers[fine.path_of(listed)].body.read_bytes()
    fine.site.answers[fine.path_of(listed)] = CannedResponse(published[:-3] + b"\0\xff\xd9")  # found by the validator
    mirror(listed)
    assert run(fine, *CHAIN).returncode == 0
    assert where(ask)[listed.image.image_id][:2] == ("done", "cvdf")
    assert ask("SELECT source, reason FROM attempt") == [("original", "md5_mismatch")]


def test_a_copy_with_another_md5_than_the_mirror_says_is_refused(fine, mirror, run, ask) -> None:
    listed = fine.images[0]
    gone(fine, listed)
    mirror(listed, ETag='"00000000000000000000000000000000"')
    assert run(fine, *CHAIN).returncode == 0
    assert where(ask)[listed.image.image_id][0] == "failed"
    assert ask("SELECT DISTINCT reason FROM attempt WHERE source = 'cvdf'") == [("md5_mismatch",)]


def test_an_etag_of_many_parts_is_no_md5(fine, mirror, run, ask) -> None:
    listed = fine.images[0]
    gone(fine, listed)
    mirror(listed, ETag='"00000000000000000000000000000000-2"')
    assert run(fine, *CHAIN).returncode == 0
    assert where(ask)[listed.image.image_id][:2] == ("done", "cvdf")


def test_copies_are_kept_apart_and_never_taken_for_originals(fine, mirror, run, ask, root: Path, oidl) -> None:
    listed = fine.images[0]
    path = fine.path_of(listed)
    published = fine.site.answers[path]
    gone(fine, listed)
    mirror(listed)
    assert run(fine, *CHAIN, "--save-original-images").returncode == 0
    home = f"2017_11/{listed.image.subset}"
    kept = f"{home}/images-original-cvdf/{listed.image.image_id[:3]}/{listed.image.image_id}.jpg"
    assert ask("SELECT rendition, path FROM file WHERE image_id = ? AND rendition <> 'images-resized'",
               listed.image.image_id) == [("cvdf", kept)]  # fmt: skip
    assert (root / kept).read_bytes() == COPY
    assert ask("SELECT count(*) FROM file WHERE rendition = 'original'") == [(len(fine.images) - 1,)]
    assert oidl("verify", "--root-dir", root).returncode == 0

    fine.site.requests.clear()
    assert run(fine, *CHAIN, "--save-original-images").returncode == 0
    assert not fine.requests, "a copy will do where copies may be had"

    fine.site.answers[path] = published
    assert run(fine, "--save-original-images", "--nodownload-metadata").returncode == 0
    assert fine.requests == {path: 1}
    assert where(ask)[listed.image.image_id][1] == "original"
    assert (root / f"{home}/images-original/{kept[-24:]}").read_bytes() == published.body.read_bytes()


def test_a_kept_copy_that_was_changed_on_disk_is_found(fine, mirror, run, root: Path, oidl) -> None:
    for listed in fine.images:
        mirror(listed)
    assert run(fine, "--source=cvdf", "--save-original-images", "--nodownload-metadata").returncode == 0
    assert oidl("verify", "--root-dir", root).returncode == 0
    copy = next(path for path in root.rglob("images-original-cvdf/*/*.jpg"))
    copy.write_bytes(COPY[:-3] + b"\0\xff\xd9")
    ended = oidl("verify", "--root-dir", root)
    assert ended.returncode == 3
    assert "wrong_md5" in ended.stdout


def test_sources_that_make_no_sense_are_refused(fine, run) -> None:
    for arguments, words in (
        (("--source=cvdf",), "there is no source 'cvdf'\n  choose from original, 300k"),
        (("--source=local",), "there is no source 'local'"),
        (("--source=flickr",), "choose from original"),
    ):
        ended = run(fine, *arguments)
        assert ended.returncode == 2
        assert words in ended.stderr
    assert not fine.site.requests
