"""Checks the shards of a root against its database, with readers that are not ours."""

import hashlib
import io
import json
import sqlite3
import struct
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import google_crc32c

_LENGTH, _CHECKSUM = struct.Struct("<Q"), struct.Struct("<I")


def check_rows(root: Path, originals: Mapping[str, bytes], renditions: int) -> None:
    """Asserts what holds at every instant: the bytes of each image that is done are where its rows say.

    `originals` are the published bytes by ImageID. An image has a row for each of `renditions`.
    """
    with _database(root) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        bare = db.execute(
            "SELECT count(*) FROM download AS d WHERE status = 'done' AND (SELECT count(*) FROM file AS f "
            "JOIN shard_set AS t USING (rendition) JOIN shard_member AS m USING (set_id, image_id) "
            "WHERE f.image_id = d.image_id) <> ?",
            (renditions,),
        ).fetchone()
        assert bare == (0,), f"{bare[0]} images that are done lack a file, or a place in a shard"
        rows = db.execute("SELECT image_id, rendition, path, bytes FROM file").fetchall()
        for image_id, rendition, place, size in rows:
            path, _, at = place.rpartition("#")
            open_name = root / f"{path}.part"
            with open(root / path if (root / path).exists() else open_name, "rb") as file:
                file.seek(int(at))
                _check_image(originals[image_id], rendition, file.read(size))


def check_end(root: Path, originals: Mapping[str, bytes], renditions: int) -> int:
    """Asserts what holds after a run that was not interrupted; returns the number of shards.

    Every image is in one shard of each rendition, once and whole; a shard has nothing else, and is as its row says; and
    there is no other file.
    """
    check_rows(root, originals, renditions)
    with _database(root) as db:
        done = {image_id for (image_id,) in db.execute("SELECT image_id FROM download WHERE status = 'done'")}
        assert done == set(originals), f"{len(done)} of {len(originals)} done"
        assert not db.execute("SELECT count(*) FROM removed_file").fetchone()[0]
        shards = db.execute(
            "SELECT shard_id, path, state, samples, bytes, sha256, rendition, t.format "
            "FROM shard JOIN shard_set AS t USING (set_id)"
        ).fetchall()
        seen: set[tuple[str, str]] = set()
        for shard_id, path, state, samples, size, sha256, rendition, kind in shards:
            body = (root / path).read_bytes()
            assert state == "sealed", f"{path} is {state}"
            assert size == len(body), f"{path}: {size} bytes are recorded, {len(body)} are there"
            assert sha256 == hashlib.sha256(body).hexdigest(), f"{path} has another SHA-256"
            members = [
                row
                for row in db.execute(
                    "SELECT image_id, at, bytes FROM shard_member WHERE shard_id = ? ORDER BY place", (shard_id,)
                )
            ]
            found = list(_READERS[kind](body))
            assert [(key, at, length) for key, at, length, _ in found] == members, path
            assert samples == len(found) > 0, path
            for key, *_, image in found:
                assert (rendition, key) not in seen, f"{key} is in two shards"
                seen.add((rendition, key))
                _check_image(originals[key], rendition, image)
        assert len(seen) == renditions * len(done)
    on_disk = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    extra = {name for name in on_disk if not name.startswith("oidl.sqlite3")} ^ {path for _, path, *_ in shards}
    assert not extra, extra
    return len(shards)


def _check_image(original: bytes, rendition: str, body: bytes) -> None:
    if rendition == "original":
        assert body == original
    else:
        assert (body[:2], body[-2:]) == (b"\xff\xd8", b"\xff\xd9"), rendition


def _tar_samples(body: bytes) -> Iterator[tuple[str, int, int, bytes]]:
    """ImageID, place, length and image of each sample."""
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        members = archive.getmembers()
        for image, text in zip(members[::2], members[1::2], strict=True):
            key, _, suffix = image.name.partition(".")
            if suffix == "json":
                image, text = text, image
            assert {image.name, text.name} == {f"{key}.jpg", f"{key}.json"}
            facts = json.loads(archive.extractfile(text).read())  # type: ignore[union-attr]
            assert facts["key"] == key
            at = min(image.offset, text.offset)
            end = max(each.offset_data + -(-each.size // 512) * 512 for each in (image, text))
            yield key, at, end - at, archive.extractfile(image).read()  # type: ignore[union-attr]
    assert body[end:] == bytes(1024), "what comes after the last sample"


def _tfrecord_samples(body: bytes) -> Iterator[tuple[str, int, int, bytes]]:
    at = 0
    while at < len(body):
        (length,) = _LENGTH.unpack_from(body, at)
        data = body[at + 12 : at + 12 + length]
        assert _CHECKSUM.unpack_from(body, at + 8) == (_masked(body[at : at + 8]),)
        assert len(data) == length
        assert _CHECKSUM.unpack_from(body, at + 12 + length) == (_masked(data),)
        features = _features(data)
        yield features["image/source_id"].decode(), at, length + 16, features["image/encoded"]
        at += length + 16


def _masked(data: bytes) -> int:
    checksum: int = google_crc32c.value(data)
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFF_FFFF


def _features(example: bytes) -> dict[str, bytes]:
    """The features of an Example that are one list of bytes, by name."""
    features: dict[str, bytes] = {}
    for _, inner in _fields(example):
        for _, entry in _fields(inner):
            name, feature = (value for _, value in _fields(entry))
            for number, values in _fields(feature):
                if number == 1 and values:
                    features[name.decode()] = next(value for _, value in _fields(values))
    return features


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        length, at = _varint(message, at)
        yield tag >> 3, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (message[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if message[at - 1] < 0x80:
            return value, at


_READERS = {"webdataset": _tar_samples, "tfrecord": _tfrecord_samples}


def _database(root: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(root / "oidl.sqlite3"))
