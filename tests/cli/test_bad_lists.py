"""Bad image lists, and bad lists of ImageIDs. Each gets one clear line, and nothing else changes."""

import gzip
import os
from pathlib import Path

import pytest
from refusals import HEADER, member_of, tar_gz

from oidl.demo.site import CannedResponse, ServerFault


def _row(number: int, title: str = "T") -> bytes:
    row = f'{number:016x},train,http://127.0.0.1:1/1_o.jpg,x,x,x,"A","{title}",100,1B2M2Y8AsgTpgAmY7PhCfg==,\n'
    return row.encode()


_CUT = HEADER + b"".join(map(_row, range(200))) + _row(200)[:-20]


_CUT_IN_A_CHARACTER = HEADER + b"".join(map(_row, range(200))) + _row(200, "é").partition(b"\xa9")[0]


@pytest.mark.parametrize(
    ("name", "content", "names"),
    [
        ("empty.csv", b"", "empty.csv contains no images"),
        ("header.csv", HEADER, "header.csv contains no images"),
        ("binary.csv", bytes(range(256)) * 64, "binary.csv is not"),
        ("photo.csv", b"\xff\xd8\xff\xe0" + b"photo" * 99, "photo.csv is not UTF-8 text"),
        ("wrong.csv", b"id,url\n1,http://a/b.jpg\n", "wrong.csv has no column ImageID"),
        ("page.csv", b"<!DOCTYPE html>\n<html>no such list</html>\n", "page.csv has no column"),
        ("short.tar.gz", tar_gz([(member_of("2017_11/train/images.csv"), HEADER * 900)])[:-60], "short.tar.gz"),
        ("short.csv.gz", gzip.compress(HEADER * 900)[:-20], "short.csv.gz is damaged or cut short"),
        ("none.tar.gz", tar_gz([(member_of("readme.txt"), b"hello")]), "none.tar.gz contains no image list"),
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
