"""Bad input gets one clear line that names it, and the documented exit code; nothing else changes."""

import gzip
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oidl.demo.site import CannedResponse, ServerFault
from oidl.state.lock import writer_lock

HEADER = (
    b"ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,"
    b"Author,Title,OriginalSize,OriginalMD5,Thumbnail300KURL\n"
)


@pytest.fixture
def refused(run, tmp_path: Path, tree, fine) -> Callable[..., str]:
    """Runs, and asserts the exit code, one line (and perhaps a hint) on stderr, and nothing outside the root."""

    def check(code: int, *arguments: object, names: str, loopback: Any = None) -> str:
        before = {path: body for path, body in tree(tmp_path).items() if not path.startswith("root/")}
        ended = run(loopback or fine, *arguments)
        assert ended.returncode == code, ended
        _is_one_clear_line(ended.stderr)
        assert names in ended.stderr
        assert "Traceback" not in ended.stdout + ended.stderr
        assert {path: body for path, body in tree(tmp_path).items() if not path.startswith("root/")} == before
        return ended.stderr

    return check


def _is_one_clear_line(text: str) -> None:
    lines = text.splitlines()
    assert lines[0].startswith("oidl: ")
    assert len(lines) == 1 or (len(lines) == 2 and lines[1].startswith("  "))
    assert "Traceback" not in text


def _row(number: int, title: str = "T") -> bytes:
    row = f'{number:016x},train,http://127.0.0.1:1/1_o.jpg,x,x,x,"A","{title}",100,1B2M2Y8AsgTpgAmY7PhCfg==,\n'
    return row.encode()


_CUT = HEADER + b"".join(map(_row, range(200))) + _row(200)[:-20]
_CUT_IN_A_CHARACTER = HEADER + b"".join(map(_row, range(200))) + _row(200, "é").partition(b"\xa9")[0]


def _tar_gz(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for member, body in members:
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return packed.getvalue()


def _member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


# ---- image lists


@pytest.fixture
def list_of(fine, tmp_path: Path) -> Callable[..., Path]:
    """A file with this content, in the place of an image list."""

    def write(content: bytes, name: str = "list.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize(
    ("name", "content", "names"),
    [
        ("empty.csv", b"", "empty.csv contains no images"),
        ("header.csv", HEADER, "header.csv contains no images"),
        ("binary.csv", bytes(range(256)) * 64, "binary.csv is not"),
        ("photo.csv", b"\xff\xd8\xff\xe0" + b"photo" * 99, "photo.csv is not UTF-8 text"),
        ("wrong.csv", b"id,url\n1,http://a/b.jpg\n", "wrong.csv has no column ImageID"),
        ("page.csv", b"<!DOCTYPE html>\n<html>no such list</html>\n", "page.csv has no column"),
        ("short.tar.gz", _tar_gz([(_member("2017_11/train/images.csv"), HEADER * 900)])[:-60], "short.tar.gz"),
        ("short.csv.gz", gzip.compress(HEADER * 900)[:-20], "short.csv.gz is damaged or cut short"),
        ("none.tar.gz", _tar_gz([(_member("readme.txt"), b"hello")]), "none.tar.gz contains no image list"),
        ("gz.tar.gz", b"\x1f\x8b but no more", "gz.tar.gz is damaged or cut short"),
        ("cut.csv", _CUT, "cut.csv seems to be cut short: line 202, its last, has no line end and is half a row"),
        ("cut.csv.gz", gzip.compress(_CUT), "cut.csv.gz seems to be cut short: line 202"),
        ("letter.csv", _CUT_IN_A_CHARACTER, "letter.csv seems to be cut short: line 202"),
    ],
)
def test_what_cannot_be_read_as_an_image_list(name: str, content: bytes, names: str, refused, list_of, root) -> None:
    refused(4, "--images-csv", list_of(content, name), names=names)
    assert not root.exists(), "there is nothing to go on with"


def test_an_image_list_that_does_not_exist(refused, tmp_path: Path) -> None:
    refused(2, "--images-csv", tmp_path / "none.csv", names=f"there is no image list {tmp_path}/none.csv")


def test_an_image_list_that_is_a_directory(refused, tmp_path: Path) -> None:
    refused(2, "--images-csv", tmp_path, names=f"the image list {tmp_path} is a directory")


def test_an_image_list_that_the_server_does_not_have(refused, base_urls: list[str]) -> None:
    refused(4, "--images-csv", f"{base_urls[0]}/none.csv", names=f"{base_urls[0]}/none.csv")


def test_an_image_list_of_unknown_length_that_breaks_off_in_a_row(refused, fine, base_urls, root: Path) -> None:
    fine.site.answers["/cut.csv"] = CannedResponse(_CUT, behaviour=ServerFault.NO_LENGTH)
    refused(4, "--images-csv", f"{base_urls[0]}/cut.csv", names="/cut.csv seems to be cut short: line 202, its last,")
    assert not root.exists(), "nothing of it is loaded"


_HOSTILE = [
    _member("/tmp/oidl-was-here.csv"),
    _member("../../oidl-was-here.csv"),
    _member("2017_11/../../oidl-was-here.csv"),
    _member("2017_11/link.csv", tarfile.SYMTYPE, "/etc/passwd"),
    _member("2017_11/link.csv", tarfile.LNKTYPE, "/etc/passwd"),
    _member("2017_11/device.csv", tarfile.CHRTYPE),
    _member("2017_11/pipe.csv", tarfile.FIFOTYPE),
]
_each_hostile = pytest.mark.parametrize("member", _HOSTILE, ids=lambda member: f"{member.name}-{member.type!r}")


@_each_hostile
def test_a_hostile_member_of_a_list_archive(member: tarfile.TarInfo, refused, fine, list_of, root) -> None:
    good = HEADER + b"".join(fine.rows()["train"])
    packed = _tar_gz([(_member("2017_11/train/images.csv"), good), (member, b"")])
    refused(4, "--images-csv", list_of(packed, "list.tar.gz"), names=f"its member {member.name!r}")
    assert not root.exists()
    assert not Path("/tmp/oidl-was-here.csv").exists()


@_each_hostile
def test_a_hostile_member_of_an_annotation_archive(
    member: tarfile.TarInfo, fine, served_archive, refused, ask, root: Path, tree
) -> None:
    packed = _tar_gz([(_member("2017_11/train/good.csv"), b"a,b\n"), (member, b"")])
    served_archive(fine.annotations_path, packed)
    refused(4, names=f"its member {member.name!r}")
    assert ask("SELECT status, count(*) FROM download GROUP BY 1") == [("done", len(fine.images))]
    assert ask("SELECT count(*) FROM archive WHERE name LIKE 'annotations%'") == [(0,)]
    assert not [path for path in tree(root) if "good.csv" in path or "oidl-was-here" in path or ".part" in path]
    assert not Path("/tmp/oidl-was-here.csv").exists()


@pytest.fixture
def served_archive(fine) -> Callable[[str, bytes], None]:
    """Publishes other bytes as an archive, with a catalogue that vouches for them."""

    def publish(path: str, body: bytes) -> None:
        fine.site.answers[path] = CannedResponse(body, content_type="application/gzip")
        before, entry, after = fine.catalogue.read_text().partition(f'name = "{path.rpartition("/")[2]}"')
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        after = re.sub(r"bytes = \d+", f"bytes = {len(body)}", after, count=1)
        after = re.sub(r'md5 = "\w+"', f'md5 = "{md5}"', after, count=1)
        fine.catalogue.write_text(before + entry + after)

    return publish


@pytest.mark.parametrize("archive", ["list_path", "annotations_path"])
@pytest.mark.parametrize(("key", "wrong"), [("md5", '"00000000000000000000000000000000"'), ("bytes", "77")])
def test_a_wrong_checksum(archive: str, key: str, wrong: str, fine, refused, ask, root: Path, tree) -> None:
    path = getattr(fine, archive)
    name = path.rpartition("/")[2]
    before, entry, after = fine.catalogue.read_text().partition(f'name = "{name}"')
    right = re.search(rf'{key} = ([\w"]+)', after)[1]
    fine.catalogue.write_text(before + entry + re.sub(rf'{key} = [\w"]+', f"{key} = {wrong}", after, count=1))
    said = refused(4, names=f"{name} is not the published file: expected ")
    assert said.index(wrong.strip('"')) < said.index("got") < said.index(right.strip('"'), said.index("got"))
    if archive == "list_path":
        assert not root.exists()
        return
    assert ask("SELECT count(*) FROM archive WHERE name = ?", name) == [(0,)]
    unfinished = ("images-", "oidl.sqlite3", "class-")
    assert not [
        path for path in tree(root) if not path.rpartition("/")[2].startswith(unfinished) and ".jpg" not in path
    ]


def test_an_archive_that_is_cut_short_and_vouched_for(fine, served_archive, refused, ask, root: Path) -> None:
    served_archive(fine.annotations_path, fine.site.answers[fine.annotations_path].body.read_bytes()[:-40])
    refused(4, names="annotations_human_demo.tar.gz is damaged or cut short")
    assert ask("SELECT count(*) FROM archive WHERE name LIKE 'annotations%'") == [(0,)]
    assert not (root / "2017_11/train/annotations-human.csv").exists()
    assert not (root / ".oidl-unpacking").exists()


# ---- rows


@pytest.fixture
def many_rows(fine) -> list[bytes]:
    """Five hundred rows, of which the dataset's own come first."""
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
    assert f"line 502: ImageID {image_id} is that of line 5, with other bytes; the first is kept" in ended.stdout
    assert "1 row of the image list was skipped" in ended.stdout
    assert ask("SELECT count(*) FROM image") == [(500,)]
    assert ask("SELECT original_url FROM image WHERE image_id = ?", image_id) == [
        (many_rows[3].split(b",")[2].decode(),)
    ]


# ---- places


def test_a_root_that_is_a_file(oidl, fine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("hello")
    for root in (tmp_path / "file", tmp_path / "file/below"):
        ended = oidl("run", f"--root-dir={root}", f"--catalogue={fine.catalogue}")
        assert ended.returncode == 2
        _is_one_clear_line(ended.stderr)
        assert f"{root} is not a directory" in ended.stderr
    assert (tmp_path / "file").read_text() == "hello"


def test_a_root_that_cannot_be_written(oidl, fine) -> None:
    ended = oidl("run", "--root-dir=/proc/oidl", f"--catalogue={fine.catalogue}")
    assert ended.returncode == 5
    _is_one_clear_line(ended.stderr)
    assert "/proc/oidl could not be made" in ended.stderr
    assert not fine.site.requests


def test_a_log_file_that_cannot_be_written(refused) -> None:
    refused(5, "--log-file=/proc/oidl.log", names="/proc/oidl.log could not be written")


def test_a_file_in_the_place_of_an_output_directory(fine, run, root: Path, ask) -> None:
    (root / "2017_11/train").mkdir(parents=True)
    (root / "2017_11/train/images-resized").write_text("mine")
    ended = run(fine, "--nodownload-metadata")
    assert ended.returncode == 5
    _is_one_clear_line(ended.stderr)
    assert "images-resized" in ended.stderr
    assert (root / "2017_11/train/images-resized").read_text() == "mine"


# ---- the state database


def test_a_database_that_another_run_holds(refused, root: Path) -> None:
    root.mkdir()
    with writer_lock(root / "oidl.sqlite3"):
        said = refused(6, names=f"the state database {root}/oidl.sqlite3 is in use by process {os.getpid()} on ")
    assert "wait for it to end" in said


def test_a_database_that_is_newer(run, fine, refused, tell) -> None:
    assert run(fine, "--limit=0").returncode == 0
    tell("PRAGMA user_version = 999")
    refused(6, names="was made by a newer oidl: schema 999")


def test_a_database_of_another_dataset_version(run, fine, refused, ask) -> None:
    assert run(fine, "--limit=0").returncode == 0
    fine.catalogue.write_text(fine.catalogue.read_text().replace("version.3", "version.2"))
    before = ask("SELECT count(*) FROM run")
    refused(6, "--dataset-version=2", names="this state database holds version 3 from ")
    assert ask("SELECT count(*) FROM run") == before


def test_a_database_of_another_image_list(run, fine, refused, list_of) -> None:
    assert run(fine, "--limit=0").returncode == 0
    refused(6, "--images-csv", list_of(HEADER), names="this state database holds version 3 from ")


@pytest.mark.parametrize(
    "content", [b"this is not a database, and never was one. " * 99, b"SQLite format 3\0 but no more"]
)
def test_a_database_that_is_none(content: bytes, refused, root: Path, oidl) -> None:
    root.mkdir()
    (root / "oidl.sqlite3").write_bytes(content)
    refused(6, names=f"{root}/oidl.sqlite3")
    assert (root / "oidl.sqlite3").read_bytes() == content
    ended = oidl("status", "--root-dir", root)
    assert ended.returncode == 6
    _is_one_clear_line(ended.stderr)


def test_a_database_of_another_program(refused, root: Path, tell) -> None:
    root.mkdir()
    tell("CREATE TABLE mine (a)")
    refused(6, names=f"{root}/oidl.sqlite3 is not a state database of oidl")


def test_a_damaged_database(run, fine, refused, root: Path, ask) -> None:
    assert run(fine, "--save-original-images").returncode == 0
    ask("SELECT 1")
    for path in root.glob("oidl.sqlite3-*"):
        path.unlink()
    body = bytearray((root / "oidl.sqlite3").read_bytes())
    body[4096:] = b"\xa5" * (len(body) - 4096)
    (root / "oidl.sqlite3").write_bytes(body)
    refused(6, "--resized-images-subdirectory=small", names=f"the state database {root}/oidl.sqlite3 is damaged")


@pytest.mark.parametrize(
    "recipe",
    [
        ("--resize-box-size=64",),
        ("--resize-mode=FillCrop",),
        ("--resize-output-format=png",),
        ("--resize-compression-quality=5",),
    ],
)
def test_a_rendition_directory_that_holds_another_recipe(
    recipe: tuple[str, ...], run, fine, refused, ask, root, tree
) -> None:
    assert run(fine, "--limit=3", "--nodownload-metadata").returncode == 0
    before = {path: body for path, body in tree(root).items() if path.endswith(".jpg")}
    asked = sum(fine.requests.values())
    there = "--resized-images-subdirectory=images-resized"
    refused(2, *recipe, there, names="images-resized holds ShrinkToFit 224 px jpg images, not ")
    assert sum(fine.requests.values()) == asked
    assert {path: body for path, body in tree(root).items() if path.endswith(".jpg")} == before
    assert run(fine, "--nodownload-metadata").returncode == 0


@pytest.mark.parametrize(
    "options",
    [
        ("--original-images-subdirectory=same", "--resized-images-subdirectory=./same"),
        ("--resized-images-subdirectory=images-original",),
        ("--resized-images-subdirectory=original",),
        ("--resized-images-subdirectory=300k", "--download-300k"),
    ],
)
def test_resized_images_in_the_place_of_the_originals(options: tuple[str, ...], refused, root: Path) -> None:
    refused(2, "--save-original-images", *options, names="a rendition cannot be ")
    assert not root.exists()


# ---- values


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--no-such-option"], "--no-such-option"),
        (["surplus"], "surplus"),
        (["--resize-mode", "bogus"], "choose from ShrinkToFit, FillCrop, FillDistort"),
        (["--name-files-by", "colour"], "choose from image-id, flickr"),
        (["--resize-box-size", "0"], "--resize-box-size must be 1 to 65500, not 0"),
        (["--resize-box-size", "1000000"], "--resize-box-size must be 1 to 65500, not 1000000"),
        (["--resize-box-size", "huge"], "--resize-box-size"),
        (["--limit=-1"], "--limit must be at least 0, not -1"),
        (["--original-images-subdirectory", "../x"], "--original-images-subdirectory must be a relative name"),
        (["--original-images-subdirectory", "/abs"], "--original-images-subdirectory must be a relative name"),
        (["--resized-images-subdirectory", "a/../../x"], "--resized-images-subdirectory must be a relative name"),
        (["--resized-images-subdirectory", ""], "--resized-images-subdirectory must be a relative name"),
        (["--resize-compression-quality", "0"], "--resize-compression-quality must be 1 to 100, not 0"),
        (["--resize-compression-quality", "101"], "--resize-compression-quality must be 1 to 100, not 101"),
        (["--resize-output-format", "xyz"], "xyz"),
        (["--resize-output-format", "../x"], "--resize-output-format"),
        (["--subset", "practice"], "--subset: there is no subset 'practice'\n  choose from train, validation, test"),
        (["--dataset-version", "99"], "there is no dataset version '99'"),
        (["--max-total-connections", "0"], "--max-total-connections must be at least 1"),
        (["--max-host-connections", "0"], "--max-host-connections must be at least 1"),
        (["--threads", "0"], "--threads must be at least 1, not 0"),
        (["--max-retries", "0"], "--max-retries must be at least 1"),
        (["--max-wait=-1"], "--max-wait must be at least 0"),
        (["--max-wait=nan"], "--max-wait must be at least 0"),
        (["--connect-timeout", "0"], "--connect-timeout must be more than 0"),
        (["--stall-timeout", "inf"], "--stall-timeout must be more than 0"),
        (["--min-speed", "0"], "--min-speed must be more than 0"),
        (["--image-ids", "none.txt"], "none.txt cannot be read"),
        (["--config", "none.toml"], "none.toml cannot be read"),
        (["--limit"], "--limit"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_option_values_that_make_no_sense(arguments: list[str], names: str, oidl, fine, root: Path, tree) -> None:
    ended = oidl("run", f"--root-dir={root}", f"--catalogue={fine.catalogue}", *arguments)
    assert ended.returncode == 2
    _is_one_clear_line(ended.stderr)
    assert names in ended.stderr
    assert not fine.site.requests
    assert not [path for path in tree(root) if not path.startswith("oidl.sqlite3")]


@pytest.mark.parametrize("arguments", [["no-such-command"], ["status", "--no-such-option"], ["export-csv", "--dest"]])
def test_commands_that_make_no_sense(arguments: list[str], oidl) -> None:
    ended = oidl(*arguments)
    assert ended.returncode == 2
    _is_one_clear_line(ended.stderr)


def test_a_catalogue_that_does_not_exist(oidl, root: Path) -> None:
    ended = oidl("run", "--root-dir", root, "--catalogue=none.toml")
    assert ended.returncode == 2
    _is_one_clear_line(ended.stderr)
    assert "the catalogue none.toml cannot be read" in ended.stderr
    assert not root.exists()


def test_image_ids_that_are_none(oidl, refused, tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text("# mine\n0123456789abcdef\nhello\n")
    refused(2, "--image-ids", ids, names=f"{ids} line 3: 'hello' is not an ImageID")
    ids.write_bytes(b"\xff\xfe\x00\x01")
    refused(2, "--image-ids", ids, names=f"{ids} is not a text file")


@pytest.mark.parametrize(
    "command", [["run"], ["run", "--dry-run"], ["annotations", "load"], ["export-csv"], ["export"]]
)
def test_image_ids_from_a_pipe_are_refused_as_they_are_read_more_than_once(
    command: list[str], oidl, fine, run, ask, root: Path
) -> None:
    assert run(fine, "--limit=0", "--no-download-metadata").returncode == 0
    reads, writes = os.pipe()
    with open(writes, "w") as pipe:
        pipe.write(f"{fine.images[0].image.image_id}\n")
    with open(reads):
        catalogue = [] if command[0].startswith("export") else [f"--catalogue={fine.catalogue}"]
        ended = oidl(*command, f"--root-dir={root}", *catalogue, f"--image-ids=/dev/fd/{reads}")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        f"oidl: the list of ImageIDs /dev/fd/{reads} is not a regular file\n"
        "  write the output of a pipe to a file first, because the list is read more than once\n"
    )
    assert ask("SELECT count(*) FROM run") == [(1,)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("limit = ", "oidl.toml is not valid TOML"),
        ("no-such-option = 3", "there is no option 'no-such-option'"),
        ("limit = 'three'", "limit"),
        ("limit = -2", "oidl.toml: limit must be at least 0, not -2"),
        ("resize-mode = 'bogus'", "choose from ShrinkToFit, FillCrop, FillDistort"),
        ("[run]\nlimit = 2", "there is no option 'run'"),
        ("attributes = {IsGroupOf = 0}", "oidl.toml: attributes is a value, or a list of values, and no table"),
        ("attributes = [{IsGroupOf = 0}]", "oidl.toml: attributes is a value"),
        ("attributes = {}", "oidl.toml: attributes is a value"),
        ("[limit]\nmost = 2", "oidl.toml: limit is a value"),
        ("classes = [['Cat']]", "oidl.toml: classes is a value"),
    ],
)
def test_an_oidl_toml_that_makes_no_sense(text: str, names: str, oidl, fine, root: Path) -> None:
    (oidl.cwd / "oidl.toml").write_text(text)
    ended = oidl("run", f"--root-dir={root}", f"--catalogue={fine.catalogue}")
    assert ended.returncode == 2
    _is_one_clear_line(ended.stderr)
    assert names in ended.stderr
    assert not fine.site.requests


_LARGEST = 2**63 - 1


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("run --limit=1.5", "--limit must be a whole number, not 1.5"),
        ("run --limit-per-class 0.5", "--limit-per-class must be a whole number, not 0.5"),
        ("run --max-retries=2.000001", "--max-retries must be a whole number"),
        ("run --max-pixels=inf", "--max-pixels must be a whole number, not inf"),
        ("export --limit=1.5", "--limit must be a whole number, not 1.5"),
        ("status --failures --first=1.5", "--first must be a whole number, not 1.5"),
        ("demo --images=10.5", "--images must be a whole number, not 10.5"),
        ("annotations load --seed=.5", "--seed must be a whole number, not .5"),
        (f"run --limit={_LARGEST + 1}", f"--limit must be at most {_LARGEST}, not {_LARGEST + 1}"),
        ("run --limit-per-class=99999999999999999999", f"--limit-per-class must be at most {_LARGEST}"),
        ("export --limit-per-class=99999999999999999999", f"--limit-per-class must be at most {_LARGEST}"),
        ("export --seed=-99999999999999999999", f"--seed must be at least -{_LARGEST}"),
        ("status --failures --first=0xffffffffffffffffffff", f"--first must be at most {_LARGEST}"),
        (f"run --max-bytes={'9' * 400}", f"a number of bytes up to {_LARGEST}"),
        ("run --max-bytes=9999999999G", f"a number of bytes up to {_LARGEST}"),
    ],
)
def test_whole_numbers_are_whole_and_have_a_place_in_the_database(typed: str, says: str, oidl, root: Path) -> None:
    command, _, options = typed.partition(" -")
    ended = oidl(*command.split(), f"--root-dir={root}", *f"-{options}".split())
    assert ended.returncode == 2
    _is_one_clear_line(ended.stderr)
    assert says in ended.stderr
    assert not root.exists()


@pytest.mark.parametrize(("key", "value"), [("limit", "1.5"), ("resize-box-size", "200.6")])
def test_whole_numbers_are_whole_in_the_file_and_in_the_environment_too(
    key: str, value: str, oidl, fine, root: Path
) -> None:
    run = ("run", f"--root-dir={root}", f"--catalogue={fine.catalogue}")
    variable = f"OIDL_{key.upper().replace('-', '_')}"
    ended = oidl(*run, env={variable: value})
    assert (ended.returncode, ended.stderr) == (2, f"oidl: {variable} must be a whole number, not {value}\n")
    (oidl.cwd / "oidl.toml").write_text(f"{key} = {value}\n")
    ended = oidl(*run)
    assert (ended.returncode, ended.stderr) == (2, f"oidl: oidl.toml: {key} must be a whole number, not {value}\n")
    assert not fine.site.requests


@pytest.mark.parametrize("value", ["3", "3.0", "0x3", "003"])
def test_a_whole_number_may_be_spelled_in_other_ways(value: str, run, fine, ask) -> None:
    assert run(fine, f"--limit={value}").returncode == 0
    assert ask("SELECT count(*) FROM download WHERE status = 'done'") == [(3,)]


@pytest.mark.parametrize(
    ("was", "becomes", "names"),
    [
        ("[version.3]", "[version.3", "is not TOML"),
        ('directory = "2017_11"', 'directory = "../x"', "directory must be the plain name"),
        ('name = "images_demo.tar.gz"', 'name = "/etc/x"', "name must be the plain name"),
        ('url = "http://', 'url = "ftp://', "url must be an http or https URL, or relative to the base_url"),
        ("title", "heading", "title is missing"),
    ],
)
def test_a_catalogue_that_makes_no_sense(was: str, becomes: str, names: str, fine, refused, root: Path) -> None:
    fine.catalogue.write_text(fine.catalogue.read_text().replace(was, becomes))
    refused(2, names=names)
    assert not root.exists()


def test_status_json_says_what_is_wrong_on_stderr_only(oidl, root: Path) -> None:
    ended = oidl("status", "--json", "--root-dir", root)
    assert (ended.returncode, ended.stdout) == (2, "")


def test_a_reader_that_leaves_early_is_no_error(oidl, run, fine, root: Path) -> None:
    assert run(fine, "--limit=1").returncode == 0
    ended = subprocess.run(
        f"{sys.executable} -m oidl status --root-dir {root} | true",
        shell=True,
        capture_output=True,
        text=True,
        cwd=oidl.cwd,
        check=False,
    )
    assert ended.stderr == ""


# ---- the command line itself


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        (["run", "--classes", "\udcff"], r"\xff is not UTF-8"),
        (["run", '--where=title="\udcff"'], r'--where=title="\xff" is not UTF-8'),
        (["run", "--root-dir", "caf\udce9"], r"caf\xe9 is not UTF-8"),
        (["export", "--dest=caf\udce9"], r"--dest=caf\xe9 is not UTF-8"),
        (["annotations", "load", "é\udce9.csv"], r"é\xe9.csv is not UTF-8"),
        (["demo", "--root-dir=\udcff"], r"--root-dir=\xff is not UTF-8"),
    ],
)
def test_what_is_not_utf_8_is_refused(typed: list[str], names: str, oidl) -> None:
    before = sorted(oidl.cwd.iterdir())
    for arguments, env in ((typed, {}), (["status"], {"OIDL_ROOT_DIR": typed[-1]})):
        ended = oidl(*arguments, env=env)
        assert (ended.returncode, ended.stdout) == (2, "")
        _is_one_clear_line(ended.stderr)
        assert names in ended.stderr
    assert sorted(oidl.cwd.iterdir()) == before


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("run --foo", "oidl run"),
        ("export --min-visible=x", "oidl export"),
        ("annotations load --seed=x", "oidl annotations load"),
    ],
)
def test_the_hint_names_the_help_of_the_command_that_was_typed(oidl, typed: str, hint: str) -> None:
    ended = oidl(*typed.split())
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[1] == f"  `{hint} --help` lists what there is"


@pytest.mark.parametrize("option", ["--connect-timeout=-1", "--stall-timeout=nan", "--stall-timeout=inf"])
def test_no_server_is_asked_in_a_time_that_makes_no_sense(oidl, fine, option: str) -> None:
    ended = oidl("catalogue", f"--catalogue={fine.catalogue}", "--check", option)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"oidl: {option.partition('=')[0]} must be more than 0")


def test_help_that_nobody_reads_on_is_no_failure() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-c", "import sys; from oidl.cli.app import main; sys.exit(main())", "run", "--help"]
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, "")
