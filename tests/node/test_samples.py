"""Samples that a run writes into shards: the boxes in them lie on what they are about, however the image was made."""

import base64
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from builders import job
from labelled import RENDITIONS
from pictures import OBJECTS, ROTATIONS, check_box, drawn, saved, sides
from PIL import Image as Pillow

from oidl.model import Done, Fetched, Job, OpenShard, Published, Rendition, ResizeMode, ShardSettings, Source, StoreKind
from oidl.model.sample import SampleBox, SampleLabel
from oidl.node.process import Processor
from oidl.node.shards import Shards
from oidl.node.stores import Stores
from oidl.settings import Imaging, Layout, SourceSettings
from oidl.storage.atomic import AtomicWriter
from oidl.storage.files import Files
from oidl.storage.shards.files import seal_shard
from oidl.storage.shards.place import read_recorded
from oidl.storage.shards.tar import WEBDATASET

BOXES = tuple(SampleBox(number, f"/m/{name}", name, *sides(name)) for number, name in enumerate(OBJECTS, 1))
LABELS = (SampleLabel(1, "/m/red", "red", 1.0),)


class Coordinator:
    """Opens the same shard of each rendition."""

    async def open_shard(self, rendition: str, subset: str) -> OpenShard:
        return OpenShard(1, f"{rendition}.tar", 0, 0, 100)

    async def shard_is_full(self, shard_id: int, appended: int) -> None:
        raise AssertionError

    async def claim_name(self, name: str, image_id: str) -> bool:
        raise AssertionError

    async def before_replace(self, files: list[tuple[str, str]]) -> None:
        raise AssertionError


@pytest.fixture
def shards(tmp_path: Path) -> Iterator[Shards]:
    with closing(Shards(tmp_path, ShardSettings(), Coordinator())) as shards:
        yield shards


def processed(shards: Shards, item: Job, body: bytes, source: Source) -> Done:
    layout = Layout(shards.root_dir, "v7")
    files = Files(layout, AtomicWriter("test"), "images-original")
    processor = Processor(Stores(files, shards), SourceSettings(store=StoreKind.WEBDATASET), Imaging())
    fetched = Fetched(source, item.original_url, body)

    async def process() -> object:
        async with shards.reserved(item.image_id, item.subset, processor.renditions(item, fetched)):
            return await trio.to_thread.run_sync(processor.process, item, fetched)

    done = trio.run(process)
    assert isinstance(done, Done), done
    return done


def labelled_job(renditions: tuple[Rendition, ...], body: bytes, rotation: int = 0) -> Job:
    published = Published("license", "author", "profile", "title", "page", rotation or -1, BOXES, LABELS)
    md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
    stored = tuple(replace(each, name=each.name.replace("/", "-"), store=StoreKind.WEBDATASET) for each in renditions)
    return replace(job(1, stored, original_size=len(body), original_md5=md5), rotation=rotation, published=published)


@pytest.mark.parametrize(
    ("exif", "rotation"), [(1, 0), (3, 0), (6, 0), (8, 0), *((1, rotation) for rotation in ROTATIONS)]
)
def test_boxes_lie_on_their_objects(exif: int, rotation: int, shards: Shards) -> None:
    body = saved(drawn(), exif)
    item = labelled_job(RENDITIONS, body, rotation)
    done = processed(shards, item, body, Source.ORIGINAL)
    seen = 0
    for file in done.files:
        assert file.member
        path = shards.root_dir / f"{file.rendition}.tar"
        seal_shard(path, file.member.at + file.member.bytes, WEBDATASET.end)
        with tarfile.open(path) as archive:
            members = {name.partition(".")[2]: archive.extractfile(name).read() for name in archive.getnames()}  # type: ignore[union-attr]
        text = json.loads(members.pop("json"))
        ((suffix, image),) = members.items()
        assert read_recorded(shards.root_dir, file.path, file.bytes) == image
        picture = Pillow.open(io.BytesIO(image))
        assert suffix == {"JPEG": "jpg", "PNG": "png"}[picture.format or ""]
        assert picture.size == (text["width"], text["height"]) == (file.width, file.height)
        assert (text["original_width"], text["original_height"]) == (600, 400)
        annotations = json.loads(text["annotations"])
        assert annotations["labels"] == [{"label_name": "/m/red", "name": "red", "confidence": 1.0}]
        for box in annotations["boxes"]:
            left, right = box["x_min"] * picture.width, box["x_max"] * picture.width
            top, bottom = box["y_min"] * picture.height, box["y_max"] * picture.height
            assert 0 <= left < right <= picture.width
            assert 0 <= top < bottom <= picture.height
            check_box(picture, box["name"], left, top, right, bottom)
            seen += 1
    assert seen >= 2 * len(RENDITIONS) - 3  # a crop may leave nothing of one


def test_a_box_that_is_cropped_off_is_left_out(shards: Shards) -> None:
    body = saved(drawn())
    item = labelled_job((Rendition("crop", "crop", ResizeMode.FILL_CROP, 100, "png"),), body)
    assert item.published
    outside = SampleBox(1, "/m/red", "red", 0.0, 0.1, 0.2, 0.8)
    item = replace(item, published=item.published._replace(boxes=(outside,)))
    processed(shards, item, body, Source.ORIGINAL)
    data = (shards.root_dir / "crop.tar.part").read_bytes()
    assert b'\\"boxes\\":[]' in data
