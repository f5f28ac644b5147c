"""Records of shards, as readers that are not ours take them apart."""

import io
import json
import os
import struct
import tarfile
from pathlib import Path

import google_crc32c
import pytest

from oidl.model.sample import FACTS, Facts, Sample, SampleBox, SampleLabel
from oidl.storage.shards.place import Place, open_shard, place_of, read_recorded
from oidl.storage.shards.record import ShardFormat
from oidl.storage.shards.tar import WEBDATASET, tar_record
from oidl.storage.shards.tfrecord import TFRECORD, tfrecord_record

BOX = SampleBox(1, "/m/01g317", "Person", 0.25, 0.5, 0.0, 1.0, is_occluded=1, is_truncated=0)
LABEL = SampleLabel(2, "/m/01yrx", "Cat", 1.0)


def facts(image_id: str = "0123456789abcdef", **changes: object) -> Facts:
    values: dict[str, object] = {
        "image_id": image_id, "subset": "train", "width": 224, "height": 168, "original_width": 640,
        "original_height": 480, "license": "https://creativecommons.org/licenses/by/2.0/", "author": "Zoë 🐈",
        "author_profile_url": "https://www.flickr.com/people/zoe/", "title": 'a "title"\n', "source": "original",
        "original_landing_url": "https://www.flickr.com/photos/zoe/1", "original_url": "https://x/1_2_o.jpg",
        "md5": "A" * 22 + "==",
    }  # fmt: skip
    return Facts(**{**values, **changes})  # type: ignore[arg-type]


def sample(size: int = 1000, suffix: str = "jpg", **more: object) -> Sample:
    return Sample(bytes(index % 251 for index in range(size)), suffix, facts(), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 100_000])
def test_tarfile_finds_the_image_and_its_facts(size: int, suffix: str) -> None:
    record = tar_record(sample(size, suffix, boxes=(BOX,), labels=(LABEL,)))
    assert len(record.data) % 512 == 0
    assert record.data[record.body_at : record.body_at + size] == sample(size).body
    with tarfile.open(fileobj=io.BytesIO(record.data + WEBDATASET.end)) as archive:
        names = sorted([f"0123456789abcdef.{suffix}", "0123456789abcdef.json"])
        assert archive.getnames() == names
        bodies = {each.name: archive.extractfile(each).read() for each in archive}  # type: ignore[union-attr]
        assert {(each.mtime, each.uid, each.mode, each.uname) for each in archive} == {(0, 0, 0o644, "")}
    assert bodies[f"0123456789abcdef.{suffix}"] == sample(size).body
    text = json.loads(bodies["0123456789abcdef.json"])
    assert text["key"] == text["image_id"] == "0123456789abcdef"
    assert [name for name, _ in FACTS] == list(text)[1:]
    annotations = json.loads(text["annotations"])
    assert annotations["boxes"][0] == {
        "label_name": "/m/01g317", "name": "Person", "x_min": 0.25, "x_max": 0.5, "y_min": 0.0, "y_max": 1.0,
        "is_occluded": 1, "is_truncated": 0, "is_group_of": -1, "is_depiction": -1, "is_inside": -1,
    }  # fmt: skip
    assert annotations["labels"] == [{"label_name": "/m/01yrx", "name": "Cat", "confidence": 1.0}]


def test_the_bytes_are_those_of_tarfile() -> None:
    text = json.loads(_members(tar_record(sample()).data)["0123456789abcdef.json"])
    raw = json.dumps(text, ensure_ascii=False, separators=(",", ":")).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, body in (("0123456789abcdef.jpg", sample().body), ("0123456789abcdef.json", raw)):
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    ours = tar_record(sample()).data + WEBDATASET.end
    assert buffer.getvalue()[: len(ours)] == ours
    assert not any(buffer.getvalue()[len(ours) :])


def test_every_sample_has_the_same_fields_of_the_same_types() -> None:
    for each in (sample(), sample(boxes=(BOX,)), sample(labels=(LABEL,))):
        text = json.loads(_members(tar_record(each).data)["0123456789abcdef.json"])
        assert [(name, type(text[name])) for name, _ in FACTS] == list(FACTS)


def test_a_tfrecord_is_as_its_format_says() -> None:
    record = tfrecord_record(sample(5000, boxes=(BOX, BOX), labels=(LABEL,)))
    (length,) = struct.unpack_from("<Q", record.data)
    assert len(record.data) == 8 + 4 + length + 4
    example = record.data[12 : 12 + length]
    assert struct.unpack_from("<I", record.data, 8)[0] == _masked(record.data[:8])
    assert struct.unpack_from("<I", record.data, 12 + length)[0] == _masked(example)
    assert record.data[record.body_at : record.body_at + 5000] == sample(5000).body
    features = _example(example)
    assert features["image/encoded"] == [sample(5000).body]
    assert features["image/source_id"] == [b"0123456789abcdef"]
    assert features["image/filename"] == [b"0123456789abcdef.jpg"]
    assert features["image/format"] == [b"jpeg"]
    assert (features["image/height"], features["image/width"]) == ([168], [224])
    assert features["image/object/bbox/xmin"] == [0.25, 0.25]
    assert features["image/object/class/text"] == [b"/m/01g317", b"/m/01g317"]
    assert features["image/object/class/label"] == [1, 1]
    assert features["image/object/occluded"] == [1, 1]
    assert features["image/object/depiction"] == [-1, -1]
    assert features["image/class/text"] == [b"/m/01yrx"]
    assert features["image/author"] == ["Zoë 🐈".encode()]
    assert features["image/rotation"] == [-1]


def test_a_tfrecord_without_annotations_has_the_keys_all_the_same() -> None:
    record = tfrecord_record(sample())
    features = _example(record.data[12:-4])
    assert (
        features["image/object/bbox/ymax"] == features["image/object/class/text"] == features["image/class/label"] == []
    )


def test_places_are_text_and_back() -> None:
    place = Place("v7/train/images-resized/train-000012.tar", 1536)
    assert place_of(str(place)) == place
    for other in ("a/0123456789abcdef.jpg", "a.tar#", "a.tar#x", "a.tar#-1", "a.tar#01", "a.zip#1", "a#b.jpg", "a.tar"):
        assert place_of(other) is None
    assert place_of("a#1/b.tar#5") == Place("a#1/b.tar", 5)


@pytest.mark.parametrize("name", ["a.tar", "a.tar.part"])
@pytest.mark.parametrize("form", [WEBDATASET, TFRECORD])
def test_an_image_is_read_from_its_place(form: object, name: str, tmp_path: Path) -> None:
    one, other = tar_record(sample(10)), tar_record(sample(2000))
    (tmp_path / name).write_bytes(one.data + other.data)
    assert read_recorded(tmp_path, f"a.tar#{one.body_at}", 10) == sample(10).body
    assert read_recorded(tmp_path, f"a.tar#{len(one.data) + other.body_at}", 2000) == sample(2000).body
    assert read_recorded(tmp_path, f"a.tar#{len(one.data) + len(other.data) - 7}", 10) == bytes(7)


def test_a_file_of_its_own_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"abc")
    assert read_recorded(tmp_path, "a.jpg", 3) == b"abc"


def test_a_missing_shard_is_named_by_its_own_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"a\.tar'$"):
        open_shard(tmp_path / "a.tar")


@pytest.fixture(params=[WEBDATASET, TFRECORD], ids=lambda form: form.name)
def form(request: pytest.FixtureRequest) -> ShardFormat:
    return request.param


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("size", [1, 512, 1000])
def test_a_whole_record_has_no_flaw(form: ShardFormat, size: int, suffix: str) -> None:
    record = form.record(sample(size, suffix, boxes=(BOX,), labels=(LABEL,)))
    assert form.flaw(record.data, sample().key, slice(record.body_at, record.body_at + size)) == ""


def test_a_record_of_another_image_or_with_its_image_elsewhere_is_flawed(form: ShardFormat) -> None:
    record = form.record(sample())
    body = slice(record.body_at, record.body_at + 1000)
    for key, where in (
        ("f" * 16, body),
        (sample().key, slice(body.start, body.stop - 1)),
        (sample().key, slice(-5, 995)),
    ):
        assert form.flaw(record.data, key, where) != ""


def test_a_record_of_which_a_part_did_not_reach_the_disk_is_flawed(form: ShardFormat) -> None:
    record = form.record(sample())
    body = slice(record.body_at, record.body_at + 1000)
    size = len(record.data)
    for begin in range(0, size, 64):
        data = record.data[:begin].ljust(begin + 64, b"\0") + record.data[begin + 64 :]
        is_seen = form is TFRECORD or not body.start <= begin < body.stop  # there the image is decoded
        if is_seen and data != record.data:
            assert form.flaw(data, sample().key, body) != "", begin
    assert form.flaw(record.data[:-600], sample().key, body) != ""
    assert form.flaw(bytes(size), sample().key, body) != ""
    assert form.flaw(bytes(index * 7 % 256 for index in range(size)), sample().key, body) != ""


def test_a_member_of_a_negative_size_is_no_endless_walk() -> None:
    record = tar_record(sample())
    before = record.data[:124] + b"-0000002000\0" + record.data[136:148]
    checksum = sum(before) + 8 * ord(" ") + sum(record.data[156:512])
    data = before + b"%06o\0 " % checksum + record.data[156:]
    assert WEBDATASET.flaw(data, sample().key, slice(512, 1512)) != ""


def test_a_pipe_with_the_name_of_a_shard_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.tar")
    with pytest.raises(OSError, match="seek"):
        read_recorded(tmp_path, "a.tar#0", 10)


def _members(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {each.name: archive.extractfile(each).read() for each in archive}  # type: ignore[union-attr]


def _masked(data: bytes) -> int:
    checksum: int = google_crc32c.value(data)
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _fields(data: bytes) -> list[tuple[int, int, bytes | int]]:
    """The fields of a protocol buffers message: number, wire type, value."""
    found: list[tuple[int, int, bytes | int]] = []
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            found.append((key >> 3, 0, varint()))
        else:
            assert key & 7 == 2
            size = varint()
            found.append((key >> 3, 2, data[at : at + size]))
            at += size
    return found


def _example(data: bytes) -> dict[str, list[object]]:
    ((number, _, features),) = _fields(data)
    assert number == 1
    result: dict[str, list[object]] = {}
    for _, _, entry in _fields(features):  # type: ignore[arg-type]
        name, feature = (value for _, _, value in _fields(entry))  # type: ignore[arg-type]
        ((kind, _, values),) = _fields(feature)  # type: ignore[arg-type]
        if kind == 1:
            items: list[object] = [value for _, _, value in _fields(values)]  # type: ignore[arg-type]
        else:
            packed = b"".join(value for _, _, value in _fields(values))  # type: ignore[arg-type,misc]
            items = list(struct.unpack(f"<{len(packed) // 4}f", packed)) if kind == 2 else _varints(packed)
        result[name.decode()] = items  # type: ignore[union-attr]
    return result


def _varints(packed: bytes) -> list[object]:
    values: list[object] = []
    value = shift = 0
    for byte in packed:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            values.append(value - (1 << 64) if value >> 63 else value)
            value = shift = 0
    return values
