"""Shards: every chosen image is in one of them once, with its boxes, and the same plan gives the same bytes."""

import csv
import errno
import gc
import io
import json
import os
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from builders import image
from labelled import BLUE, IMAGES, NAMES, OBJECT, RED, LabelledRoot, contents
from pictures import check_box, check_mask
from PIL import Image as Pillow
from pycocotools import mask as coco_mask

import oidl
from oidl.errors import DiskError, StoppedError, UsageError
from oidl.export.describe import exported_text
from oidl.export.formats.coco import COCO
from oidl.export.labels import export_labels
from oidl.export.pack.describe import pack_line, packed_text
from oidl.export.pack.formats import FORMATS, PackFormat
from oidl.export.pack.job import pack
from oidl.export.pack.request import OnStep, PackRequest, PackResult, Step
from oidl.export.request import ExportRequest
from oidl.export.split import Split
from oidl.model import (
    CheckResult,
    CheckSource,
    LabelType,
    LicenseFilter,
    PublishedPhoto,
    Status,
    Verdict,
    license_of_id,
)
from oidl.settings import Selection
from oidl.state.licenses import MadeCheck, record_checks
from oidl.state.selection import drop_selection, select_images

WEBDATASET = FORMATS["webdataset"]
EVERY_FORMAT = pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
NEXT = {"shards.json", "README.md", "croissant.json", "ATTRIBUTION.csv"}

LICENSE_FACTS = ("license_verdict", "license_now", "license_checked")

Pack = Callable[..., PackResult]


@pytest.fixture
def packed(labelled_root: LabelledRoot, tmp_path: Path) -> Iterator[Pack]:
    """Packs the rendition `fillcrop` into `tmp_path`, five images to a shard."""

    def run(on_step: OnStep = lambda step, result: None, **more: Any) -> PackResult:
        values = {"format": WEBDATASET, "rendition": "fillcrop", "shard_samples": 5, "dest": tmp_path / "shards"}
        return pack(labelled_root.db, labelled_root.root, PackRequest(**values | more), on_step)

    yield run
    labelled_root.db.execute("DELETE FROM shard_member")
    labelled_root.db.execute("DELETE FROM shard")
    labelled_root.db.execute("DELETE FROM shard_set")


def tar_samples(directory: Path) -> list[dict[str, Any]]:
    """The samples of all tars, by the part of the name after the dot; `key` is the name, `shard` the file's."""
    samples: dict[str, dict[str, Any]] = {}
    for path in sorted(directory.glob("*.tar")):
        with tarfile.open(path) as archive:
            for member in archive:
                key, _, suffix = member.name.partition(".")
                body = archive.extractfile(member).read()  # type: ignore[union-attr]
                sample = samples.setdefault(key, {"key": key, "shard": path.name})
                assert sample["shard"] == path.name
                assert suffix not in sample
                sample[suffix] = json.loads(body) if suffix == "json" else body
    return list(samples.values())


def keys(directory: Path) -> list[str]:
    return [sample["key"] for sample in tar_samples(directory)]


def test_every_image_is_in_one_shard_once(packed: Pack, tmp_path: Path) -> None:
    result = packed()
    assert sorted(keys(tmp_path / "shards")) == [f"{number:016x}" for number in range(1, IMAGES + 1)]
    shards = Counter(sample["shard"] for sample in tar_samples(tmp_path / "shards"))
    assert shards == {"train-00000-of-00002.tar": 5, "train-00001-of-00002.tar": 4, "validation-00000-of-00001.tar": 4}
    assert (result.images, result.packed, result.absent, result.was_complete) == (IMAGES, IMAGES, 0, False)
    assert {name: (each.shards, each.samples) for name, each in result.splits.items()} == {
        "train": (2, 9),
        "validation": (1, 4),
    }
    assert {path.name for path in (tmp_path / "shards").iterdir()} == NEXT | shards.keys()


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@EVERY_FORMAT
def test_a_shard_that_is_given_up_is_no_error_of_a_library_either(
    form: PackFormat, packed: Pack, tmp_path: Path
) -> None:
    def stop(step: Step, result: PackResult) -> None:
        if step is Step.SAMPLE and result.packed == 3:
            raise StoppedError("stopped")

    with pytest.raises(StoppedError) as caught:
        packed(stop, format=form)
    caught.value.__traceback__ = None
    del caught
    gc.collect()
    assert not list((tmp_path / "shards").iterdir())


class FullDisk(io.RawIOBase):
    """An empty file for which there is no room."""

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return offset

    def write(self, data: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_said_when_the_rows_of_shards_find_no_room(
    packed: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oidl.export.pack.credits.nameless_file", lambda directory: io.BufferedRandom(FullDisk()))
    with pytest.raises(DiskError, match="No space left on device"):
        packed()


def test_a_shard_has_at_most_so_many_bytes(packed: Pack, tmp_path: Path) -> None:
    packed(shard_samples=1000)
    (whole,) = (tmp_path / "shards").glob("train*.tar")
    packed(shard_samples=1000, shard_bytes=whole.stat().st_size // 3, dest=tmp_path / "small")
    sizes = [path.stat().st_size for path in (tmp_path / "small").glob("train*.tar")]
    assert len(sizes) in (3, 4)
    assert max(sizes) < 1.3 * whole.stat().st_size / 3


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in pycocotools
@pytest.mark.parametrize("rendition", ["fillcrop", "turned", "kept", "border", "original", "seen"])
def test_boxes_and_masks_lie_on_the_objects(rendition: str, packed: Pack, tmp_path: Path) -> None:
    kinds = (LabelType.BOXES, LabelType.SEGMENTATIONS)
    packed(rendition=rendition, selection=Selection(label_types=kinds))
    found = 0
    for sample in tar_samples(tmp_path / "shards"):
        facts = sample["json"]
        (suffix,) = sample.keys() & {"jpg", "png"}
        picture = Pillow.open(io.BytesIO(sample[suffix]))
        assert picture.size == (facts["width"], facts["height"])
        annotations = json.loads(facts["annotations"] or "{}")
        for box in annotations.get("boxes", ()):
            name = OBJECT[box["label_name"]]
            across, down = picture.width, picture.height
            sides = box["x_min"] * across, box["y_min"] * down, box["x_max"] * across, box["y_max"] * down
            check_box(picture, name, *sides)
            assert box["name"] == NAMES[box["label_name"]]
            rle = {"size": [down, across], "counts": box["mask"].encode()}
            check_mask(picture, name, coco_mask.decode(rle).astype(bool))
            found += 1
    assert found >= IMAGES - 2 - (rendition == "original")


def test_a_sample_says_everything_about_its_image(packed: Pack, tmp_path: Path) -> None:
    packed()
    first = tar_samples(tmp_path / "shards")[0]["json"]
    annotations = json.loads(first.pop("annotations"))
    assert first == {
        "key": "0000000000000001",
        "image_id": "0000000000000001",
        "subset": "train",
        "width": 160,
        "height": 160,
        "original_width": 600,
        "original_height": 400,
        "license": "https://creativecommons.org/licenses/by/2.0/",
        "author": "A\x01 <b> & co",
        "author_profile_url": "https://www.flickr.com/people/someone/",
        "title": 'A "title", with &amp; and é',
        "original_landing_url": "https://www.flickr.com/photos/someone/1",
        "original_url": "https://c1.staticflickr.com/1/1_0a1b2c_o.jpg",
        "source": "original",
        "md5": first["md5"],
        "rotation": 0,
        "orientation": 1,
        "status": "success",
        "license_verdict": "",
        "license_now": "",
        "license_checked": "",
    }
    assert len(first["md5"]) == 24
    blue, red = sorted(annotations["boxes"], key=lambda box: box["label_name"])
    # FillCrop cut off a part of both.
    assert (red["is_truncated"], blue["is_truncated"]) == (1, 1)
    assert (red["is_group_of"], blue["is_group_of"], blue["is_occluded"]) == (0, 1, -1)
    assert [(label["label_name"], label["confidence"]) for label in annotations["labels"]] == [(BLUE, 1.0), (RED, 0.0)]
    packed(rendition="border", dest=tmp_path / "whole")
    whole = json.loads(tar_samples(tmp_path / "whole")[0]["json"]["annotations"])
    assert [box["is_truncated"] for box in whole["boxes"]] == [-1, -1]


@EVERY_FORMAT
def test_the_same_plan_gives_the_same_bytes(form: Any, packed: Pack, tmp_path: Path) -> None:
    packed(format=form, dest=tmp_path / "a", with_idx=form.has_records)
    packed(format=form, dest=tmp_path / "b", with_idx=form.has_records)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    before = contents(tmp_path / "a")
    packed(format=form, dest=tmp_path / "a", with_idx=form.has_records, again=True)
    assert contents(tmp_path / "a") == before


def test_what_is_complete_stays_as_it_is(packed: Pack, tmp_path: Path) -> None:
    packed()
    before = {path: path.stat().st_ino for path in (tmp_path / "shards").iterdir()}
    result = packed()
    assert result.was_complete
    assert result.splits["train"].samples == 9
    assert {path: path.stat().st_ino for path in (tmp_path / "shards").iterdir()} == before
    assert "complete already" in packed_text(result, PackRequest(WEBDATASET))


def test_a_pack_that_was_stopped_makes_what_is_left(packed: Pack, tmp_path: Path) -> None:
    packed(dest=tmp_path / "undisturbed")

    def stop(step: Step, result: PackResult) -> None:
        if result.packed == 7:
            raise StoppedError("stopped")

    with pytest.raises(StoppedError):
        packed(stop)
    assert [path.name for path in (tmp_path / "shards").iterdir()] == ["train-00000-of-00002.tar"]
    sealed = (tmp_path / "shards/train-00000-of-00002.tar").stat().st_ino
    result = packed()
    assert (result.packed_now, result.packed) == (8, IMAGES)
    assert (tmp_path / "shards/train-00000-of-00002.tar").stat().st_ino == sealed
    assert contents(tmp_path / "shards") == contents(tmp_path / "undisturbed")


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"short")], ids=["missing", "short"])
@pytest.mark.parametrize("name", ["train-00001-of-00002.tar", "shards.json", "README.md"])
def test_a_file_that_was_lost_is_made_again(
    name: str, spoil: Callable[[Path], object], packed: Pack, tmp_path: Path
) -> None:
    packed()
    before = contents(tmp_path / "shards")
    spoil(tmp_path / "shards" / name)
    if name.endswith("tar") or not (tmp_path / "shards" / name).exists():
        assert not packed().was_complete
        assert contents(tmp_path / "shards") == before


def test_a_shard_that_was_written_to_after_it_was_sealed_is_read(packed: Pack, tmp_path: Path) -> None:
    packed()
    before = contents(tmp_path / "shards")
    shard = tmp_path / "shards/train-00001-of-00002.tar"
    later = time.time() + 10
    os.utime(shard, (later, later))  # as after a copy
    result = packed()
    assert result.was_complete
    assert "`oidl verify` reads them whole" in packed_text(result, PackRequest(WEBDATASET))
    shard.write_bytes(bytes(len(shard.read_bytes())))
    os.utime(shard, (later, later))
    result = packed()
    assert (result.was_complete, result.remade, result.packed_now) == (False, 1, 4)
    assert "made again: 1 shard that was missing, or not as sealed" in packed_text(result, PackRequest(WEBDATASET))
    assert contents(tmp_path / "shards") == before


def test_an_index_names_every_shard_with_its_hash(packed: Pack, tmp_path: Path) -> None:
    from hashlib import sha256

    packed()
    index = json.loads((tmp_path / "shards/shards.json").read_text())
    assert (index["__kind__"], index["wids_version"]) == ("wids-shard-index-v1", 1)
    assert [each["nsamples"] for each in index["shardlist"]] == [5, 4, 4]
    for each in index["shardlist"]:
        body = (tmp_path / "shards" / each["url"]).read_bytes()
        assert (each["filesize"], each["sha256"]) == (len(body), sha256(body).hexdigest())


def test_the_database_says_where_each_sample_is(packed: Pack, labelled_root: LabelledRoot, tmp_path: Path) -> None:
    packed()
    rows = labelled_root.db.execute(
        "SELECT s.path, m.image_id, m.at, m.bytes FROM shard_member AS m JOIN shard AS s USING (shard_id)"
    ).fetchall()
    assert len(rows) == IMAGES
    for path, image_id, at, size in rows:
        record = (labelled_root.root / path).read_bytes()[at : at + size]
        with tarfile.open(fileobj=io.BytesIO(record)) as archive:
            assert [name.partition(".")[0] for name in archive.getnames()] == [image_id] * 2


def test_dali_finds_the_members_by_the_index(packed: Pack, tmp_path: Path) -> None:
    packed(with_idx=True)
    for path in (tmp_path / "shards").glob("*.tar"):
        head, *lines = path.with_name(f"{path.name}.idx").read_text().splitlines()
        assert head == f"v1.2 {len(lines)}"
        with tarfile.open(path) as archive:
            members = [(each.name, each.offset_data, each.size) for each in archive]
        words = [word for line in lines for word in line.split()]
        listed = [words[at : at + 4] for at in range(0, len(words), 4)]
        assert [(name, int(at), int(size)) for _, at, size, name in listed] == members
        assert all(name.endswith(f".{suffix}") for suffix, _, _, name in listed)
        assert {len(line.split()) for line in lines} == {8}


def test_everyone_is_credited(packed: Pack, tmp_path: Path) -> None:
    packed()
    with open(tmp_path / "shards/ATTRIBUTION.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["image_id"]: row["file_name"] for row in rows} == {
        sample["key"]: f"{sample['shard']}/{sample['key']}.png" for sample in tar_samples(tmp_path / "shards")
    }
    assert rows[0]["author"] == "A� <b> & co"


# ---- choosing


def test_a_shuffle_and_a_split_are_drawn_by_the_seed(packed: Pack, labelled_root: LabelledRoot, tmp_path: Path) -> None:
    def drawn(name: str, seed: int) -> list[tuple[str, str]]:
        selection = Selection(shuffle=True, seed=seed)
        drop_selection(labelled_root.db)
        selected = select_images(labelled_root.db, selection)
        split = Split((70, 30), seed)
        packed(selection=selection, selected=selected, split=split, dest=tmp_path / name)
        samples = tar_samples(tmp_path / name)
        for sample in samples:
            assert sample["shard"].startswith(f"{split.of(sample['key'], '')}-")
        return [(sample["key"], sample["shard"]) for sample in samples]

    first = drawn("a", 1)
    assert sorted(first) != first
    assert drawn("b", 1) == first != drawn("c", 2)
    assert len(first) == IMAGES
    drop_selection(labelled_root.db)


def test_a_limit_counts_images(packed: Pack, tmp_path: Path) -> None:
    assert packed(selection=Selection(limit=7)).images == 7
    assert sorted(keys(tmp_path / "shards")) == [f"{number:016x}" for number in range(1, 8)]


def test_only_the_chosen_annotations_are_written(packed: Pack, tmp_path: Path) -> None:
    packed(selection=Selection(label_types=(LabelType.BOXES,)), label_names=(RED,))
    for sample in tar_samples(tmp_path / "shards"):
        annotations = json.loads(sample["json"]["annotations"] or "{}")
        assert {box["label_name"] for box in annotations.get("boxes", ())} <= {RED}
        assert not annotations.get("labels")


def test_nothing_to_pack_is_an_error_and_changes_nothing(
    packed: Pack, labelled_root: LabelledRoot, tmp_path: Path
) -> None:
    packed()
    before = contents(tmp_path / "shards")
    selection = Selection(where="width > 1000000")
    drop_selection(labelled_root.db)
    selected = select_images(labelled_root.db, selection)
    with pytest.raises(UsageError, match="nothing was packed: no chosen image has a file of the rendition fillcrop"):
        packed(selection=selection, selected=selected, again=True)
    drop_selection(labelled_root.db)
    assert contents(tmp_path / "shards") == before


def test_licences_that_no_image_has_are_named(packed: Pack, labelled_root: LabelledRoot, tmp_path: Path) -> None:
    unmet = "nothing was packed: no image has a licence check\n.*check-licenses.* --of all"
    for words, where, why in (
        ((LicenseFilter.NC,), None, unmet),
        ((LicenseFilter.UNCHECKED,), "width > 1000000", "no image meets --license unchecked and the other options"),
    ):
        selection = Selection(license=words, where=where)
        selected = select_images(labelled_root.db, selection)
        with pytest.raises(UsageError, match=why):
            packed(selection=selection, selected=selected)
        drop_selection(labelled_root.db)


# ---- another recipe


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"shard_samples": 6}, "--shard-samples"),
        ({"shard_bytes": 10**8}, "--shard-size"),
        ({"split": Split((80, 20))}, "--split"),
        ({"rendition": "border"}, "--rendition"),
        ({"format": FORMATS["tfrecord"]}, "--format"),
        ({"selection": Selection(limit=3)}, "--limit"),
        ({"selection": Selection(shuffle=True, subsets=("train",))}, "--shuffle and --subset"),
        ({"selection": Selection(label_types=(LabelType.BOXES,))}, "--label-types"),
        ({"min_visible": 0.5}, "--min-visible"),
        ({"label_names": (RED,)}, "--classes"),
        ({"image_ids_sha256": "f" * 64}, "--image-ids"),
    ],
)
def test_shards_of_two_recipes_never_share_a_directory(
    more: dict[str, Any], name: str, packed: Pack, tmp_path: Path
) -> None:
    packed()
    before = contents(tmp_path / "shards")
    with pytest.raises(UsageError) as raised:
        packed(**more)
    assert f"has shards that were made with another {name}\n" in str(raised.value)
    assert "use --again to replace them, or choose another --dest" in str(raised.value)
    assert contents(tmp_path / "shards") == before


def test_a_pack_that_was_begun_with_other_options_can_be_resumed_or_replaced(packed: Pack) -> None:
    def stop(step: Step, result: PackResult) -> None:
        raise StoppedError("stopped")

    with pytest.raises(StoppedError):
        packed(stop)
    with pytest.raises(UsageError, match="was begun, and is not complete, with another --limit") as raised:
        packed(selection=Selection(limit=3))
    assert "repeat its options to resume it; or use --again" in str(raised.value)


def test_shards_with_annotations_of_two_times_are_never_mixed(
    packed: Pack, labelled_root: LabelledRoot, tmp_path: Path
) -> None:
    packed()
    labelled_root.db.execute(
        "INSERT INTO annotation_file (name, kind, images, rows, skipped, loaded_at) VALUES ('b.csv', 'boxes', 'all', "
        "1, 0, '2026')"
    )
    try:
        with pytest.raises(UsageError, match=r"annotations were loaded after the shards in .* were planned"):
            packed()
        packed(again=True)
        assert packed().was_complete
    finally:
        labelled_root.db.execute("DELETE FROM annotation_file WHERE name = 'b.csv'")


def test_again_removes_the_index_first_and_every_shard_of_before(packed: Pack, tmp_path: Path) -> None:
    packed(shard_samples=2, with_idx=True)
    seen: list[set[str]] = []

    def look(step: Step, result: PackResult) -> None:
        if step in (Step.REMOVED, Step.SEALED):
            seen.append({path.name for path in (tmp_path / "shards").iterdir()})

    packed(look, shard_samples=20, again=True)
    train, validation = "train-00000-of-00001.tar", "validation-00000-of-00001.tar"
    assert seen == [set(), {train}, {train, validation}]
    assert {path.name for path in (tmp_path / "shards").iterdir()} == NEXT | {train, validation}


@pytest.mark.parametrize("name", ["README.md", "train-00001-of-00002.tar", "shards.json", "x-00000-of-00001.parquet"])
def test_files_of_others_are_never_replaced(name: str, packed: Pack, tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / name).write_text("mine")
    (tmp_path / "shards/notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=f"{name} exists and is not from an earlier pack"):
        packed()
    assert (tmp_path / "shards" / name).read_text() == "mine"


def test_other_files_in_the_directory_are_left_alone(packed: Pack, tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards/notes.txt").write_text("mine")
    packed()
    packed(again=True)
    assert (tmp_path / "shards/notes.txt").read_text() == "mine"


def test_what_a_killed_pack_left_is_swept(packed: Pack, tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards/.train-00000-of-00009.tar.oidl-part-999999999").write_text("part")
    packed()
    assert not list((tmp_path / "shards").glob(".*"))


def test_the_shards_of_a_run_are_not_replaced(packed: Pack, labelled_root: LabelledRoot, tmp_path: Path) -> None:
    labelled_root.db.execute(
        "INSERT INTO shard_set (writer, directory, format, rendition, recipe, created_at) "
        "VALUES ('run', ?, 'webdataset', 'fillcrop', '{}', '2026')",
        (str(tmp_path / "shards"),),
    )
    for again in (False, True):
        with pytest.raises(UsageError, match="has shards that runs write"):
            packed(again=again)


# ---- images that are in shards


@pytest.fixture
def in_a_shard(packed: Pack, labelled_root: LabelledRoot, tmp_path: Path) -> Iterator[Path]:
    """A shard of a run with the images of `validation`."""
    db = labelled_root.db
    packed(dest=tmp_path / "source", selection=Selection(subsets=("validation",)))
    shard = labelled_root.root / "v7/validation/r/fillcrop/validation-000000.tar"
    (tmp_path / "source/validation-00000-of-00001.tar").rename(shard)
    name = str(shard.relative_to(labelled_root.root))
    before = db.execute("SELECT image_id, path FROM file WHERE rendition = 'fillcrop'").fetchall()
    with tarfile.open(shard) as archive:
        places = {member.name[:16]: member.offset_data for member in archive if not member.name.endswith("json")}
    for image_id, at in places.items():
        db.execute("UPDATE file SET path = ? WHERE image_id = ? AND rendition = 'fillcrop'", (f"{name}#{at}", image_id))
    db.execute("UPDATE shard SET path = ? WHERE path LIKE '%source/validation%'", (name,))
    yield shard
    db.executemany(
        "UPDATE file SET path = ? WHERE image_id = ? AND rendition = 'fillcrop'",
        [(path, image_id) for image_id, path in before],
    )
    shard.unlink(missing_ok=True)


def test_images_are_packed_from_shards_as_from_files(in_a_shard: Path, packed: Pack, tmp_path: Path) -> None:
    packed()
    again = (tmp_path / "shards/validation-00000-of-00001.tar").read_bytes()
    assert again == in_a_shard.read_bytes()


def test_images_in_shards_that_were_uploaded_are_left_out_and_stay_done(
    in_a_shard: Path, packed: Pack, labelled_root: LabelledRoot, tmp_path: Path
) -> None:
    packed(lambda step, result: None, dest=tmp_path / "planned", selection=Selection(subsets=("validation",)))
    next((tmp_path / "planned").glob("*.tar")).unlink()
    in_a_shard.unlink()
    name = str(in_a_shard.relative_to(labelled_root.root))
    labelled_root.db.execute("UPDATE shard SET is_local = 0, remote_url = 's3://b/c/' || path WHERE path = ?", (name,))
    with pytest.raises(DiskError, match=r"is only in s3://b/c\n"):
        packed(dest=tmp_path / "planned", selection=Selection(subsets=("validation",)))
    result = packed()
    assert (result.images, result.remote_files) == (9, 4)
    assert "4 images in shards that are only in s3://b/c; copy" in packed_text(result, PackRequest(WEBDATASET))
    with pytest.raises(UsageError, match="all chosen images are in shards that are only in s3://b/c"):
        packed(dest=tmp_path / "none", selection=Selection(subsets=("validation",)))
    statuses = labelled_root.db.execute("SELECT DISTINCT status FROM download").fetchall()
    assert statuses == [(Status.DONE,)]


def test_an_export_names_the_store_of_the_images_that_are_not_here(
    in_a_shard: Path, labelled_root: LabelledRoot, tmp_path: Path
) -> None:
    request = ExportRequest(COCO, "fillcrop", dest=tmp_path / "export", with_empty=True)
    name = str(in_a_shard.relative_to(labelled_root.root))
    labelled_root.db.execute("UPDATE shard SET is_local = 0, remote_url = 's3://b/c/' || path WHERE path = ?", (name,))
    there = export_labels(labelled_root.db, labelled_root.root, request)  # copied back
    assert (there.remote_files, there.missing_files, there.from_shards) == (0, 0, 4)
    in_a_shard.unlink()
    result = export_labels(labelled_root.db, labelled_root.root, request)
    assert (result.remote_files, result.missing_files, result.from_shards) == (4, 0, 0)
    text = exported_text(result, request)
    assert "left out: 4 images in shards that are only in s3://b/c; copy these shards back" in text
    only = replace(request, selection=Selection(subsets=("validation",)))
    with pytest.raises(UsageError, match=r"4 chosen images are in shards that are only in s3://b/c\n"):
        export_labels(labelled_root.db, labelled_root.root, only)


# ---- text


def test_how_far_it_is_is_a_short_line() -> None:
    now = PackResult(Path("x"), "fillcrop", ())
    assert pack_line(now, 0.0) == "choosing images"
    now.images, now.packed, now.packed_now = 9_000_000, 1_000_000, 500_000
    assert pack_line(now, 100.0) == "1,000,000 of 9,000,000 images packed · 5000 images/s · 26 min 40 s"


def test_samples_and_the_card_say_what_a_licence_check_found(
    packed: Pack, labelled_root: LabelledRoot, tmp_path: Path
) -> None:
    nc = license_of_id(2)
    assert nc
    found = {1: CheckResult(Verdict.CHANGED, license_url=nc.url, license_id=nc.id), 2: CheckResult(Verdict.GONE, "404")}
    for number, result in found.items():
        photo = PublishedPhoto(image(number).image_id, "train", "", "", "", "")
        at = datetime(2026, 11, 27 + number, tzinfo=UTC)
        record_checks(labelled_root.db, [MadeCheck(photo, CheckSource.OEMBED, result)], at)
    try:
        packed()
        facts = {sample["key"]: sample["json"] for sample in tar_samples(tmp_path / "shards")}
        root = oidl.open(labelled_root.root)
        by_id = {each.image_id: each for each in root.images(rendition="fillcrop", license="changed")}
    finally:
        labelled_root.db.execute("DELETE FROM license_check")
    said = [[facts[image(number).image_id][name] for name in LICENSE_FACTS] for number in (1, 2, 3)]
    assert said == [
        ["changed", nc.url, "2026-11-28T00:00:00.000Z"],
        ["gone", "", "2026-11-29T00:00:00.000Z"],
        ["", "", ""],
    ]
    card = " ".join((tmp_path / "shards" / "README.md").read_text().split())
    assert "were checked between 2026-11-28 and 2026-11-29: 1 changed, 1 gone." in card
    assert "1 changed, 1 gone" in (tmp_path / "shards" / "croissant.json").read_text()
    (chosen,) = by_id.values()
    assert (chosen.image_id, chosen.license_verdict, chosen.license_now) == (image(1).image_id, "changed", nc.url)
