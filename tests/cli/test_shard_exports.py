"""Images in shards as other programs get them: by an export, or from Python."""

import base64
import hashlib
import io
import json
import os
from pathlib import Path

import pytest
from PIL import Image as Pillow

import oidl as library

SHARDS = ("--nodownload-metadata", "--save-original-images", "--rendition=name=small,box=64,format=png")


@pytest.fixture(params=["webdataset", "tfrecord"])
def sharded(request: pytest.FixtureRequest, fine, run):
    assert run(fine, *SHARDS, f"--output-format={request.param}").returncode == 0
    return fine


@pytest.fixture
def export(oidl, root: Path, tmp_path: Path):
    def start(*options: str, rendition: str = "small"):
        dest = tmp_path / "export"
        named = f"--rendition={rendition}"
        return dest, oidl("export", f"--root-dir={root}", f"--dest={dest}", "--format=imagefolder", named, *options)

    return start


@pytest.fixture
def files(root: Path) -> dict[str, bytes]:
    """The images by ImageID, as a reader of the database gets them."""

    def read(rendition: str) -> dict[str, bytes]:
        rows = library.open(root).sql("SELECT image_id, path, bytes FROM file WHERE rendition = ?", (rendition,))
        found = {}
        for row in rows:
            shard, _, at = row["path"].partition("#")
            found[row["image_id"]] = (root / shard).read_bytes()[int(at) : int(at) + row["bytes"]]
        return found

    return read


@pytest.mark.parametrize("how", ["", "--hardlink", "--copy"])
def test_an_export_has_a_file_for_each_image(how: str, sharded, export, files) -> None:
    dest, ended = export(*filter(None, [how]))
    assert (ended.returncode, ended.stderr) == (0, "")
    written = {path.stem: path for path in dest.rglob("*.png")}
    assert not any(path.is_symlink() for path in written.values())
    assert {image_id: path.read_bytes() for image_id, path in written.items()} == files("small")
    assert len(written) == len(sharded.images)
    assert ("  24 images are copies, because nothing can link into a shard" in ended.stdout) == (how != "--copy")


def test_originals_have_the_suffix_of_their_format(sharded, export, files) -> None:
    dest, ended = export(rendition="original")
    assert (ended.returncode, ended.stderr) == (0, "")
    bodies = {path.stem: path.read_bytes() for path in dest.rglob("*.jpg")}
    published = {each.image.image_id: each.image.original_md5 for each in sharded.images}
    assert {name: base64.b64encode(hashlib.md5(body).digest()).decode() for name, body in bodies.items()} == published


def test_an_image_that_its_shard_is_too_short_for_is_left_out(sharded, export, ask, root: Path) -> None:
    ((shard,),) = ask("SELECT path FROM shard WHERE path LIKE '%/train/small/%'")
    ((at,),) = ask("SELECT max(m.at) FROM shard_member AS m JOIN shard USING (shard_id) WHERE path = ?", shard)
    os.truncate(root / shard, at + 600)
    dest, ended = export()
    assert ended.returncode == 0
    assert "left out: 1 image with missing files" in ended.stdout
    assert len(list(dest.rglob("*.png"))) == 23


def test_a_place_that_is_not_ours_is_left_out(sharded, export, tell, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"secret" * 1000)
    tell("UPDATE file SET path = ? WHERE rendition = 'small' AND path LIKE '%train%'", f"{tmp_path}/x.tar#6")
    dest, ended = export()
    assert "left out: 21 images whose row names a file that oidl did not write" in ended.stdout
    assert len(list(dest.rglob("*.png"))) == 3


def test_python_reads_images_and_says_where_they_are(sharded, files, root: Path) -> None:
    bodies = files("small")
    images = list(library.open(root).images(rendition="small"))
    assert len(images) == len(bodies)
    for image in images:
        assert image.read() == bodies[image.image_id]
        assert image.path.read_bytes()[image.offset : image.offset + image.size_bytes] == image.read()
        assert image.suffix == ".png"
        with Pillow.open(io.BytesIO(image.read())) as picture:
            assert picture.size == (image.width, image.height)
    assert "data:image/png;base64," in images[0]._repr_html_()


def test_python_reads_a_shard_that_is_still_open(sharded, files, root: Path) -> None:
    bodies = files("small")
    images = list(library.open(root).images(rendition="small"))
    for path in {image.path for image in images}:
        path.rename(f"{path}.part")
    assert {image.image_id: image.read() for image in images} == bodies


def test_python_does_not_pass_off_a_part_for_an_image(sharded, root: Path) -> None:
    last = max(library.open(root).images(rendition="small"), key=lambda image: image.offset)
    os.truncate(last.path, last.offset + 10)
    with pytest.raises(OSError, match="the shard ends before"):
        last.read()


def test_the_report_and_the_counts_include_them(sharded, oidl, root: Path, tmp_path: Path) -> None:
    files = json.loads(oidl("status", "--json", f"--root-dir={root}").stdout)["files"]
    assert files == {"original": 24, "small": 24}
    assert oidl("report", f"--root-dir={root}", f"--out={tmp_path}/report.html").returncode == 0
