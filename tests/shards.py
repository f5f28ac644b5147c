"""Samples, and shards with some in them, as runs leave them."""

from pathlib import Path

from builders import job

from oidl.model import Done, Member, OpenShard, Rendition, ResizeMode, Source, StoreKind, WrittenFile
from oidl.model.sample import Facts, Sample
from oidl.state.connection import StateConnection
from oidl.state.ledger import Ledger
from oidl.state.shards import open_shard
from oidl.storage.shards.log import ShardLog
from oidl.storage.shards.record import Record
from oidl.storage.shards.tar import tar_record

# oidl does not decode PPM, so the bytes can be any.
TAR = Rendition("tars", "tars", ResizeMode.FILL_CROP, 64, "ppm", store=StoreKind.WEBDATASET)
TFRECORD = Rendition("records", "records", ResizeMode.FILL_CROP, 64, "ppm", store=StoreKind.TFRECORD)
HOME = "2017_11/train/tars"


def sample(number: int, size: int = 700) -> Sample:
    """The sample of `image(number)`, whose body is `size` bytes of its number."""
    published = job(number)
    facts = Facts(
        image_id=published.image_id, subset="train", width=8, height=6, original_width=8, original_height=6,
        license="l", author="a", author_profile_url="p", title="t", original_landing_url="o",
        original_url=published.original_url, source="original", md5="m",
    )  # fmt: skip
    return Sample(bytes([number]) * size, "ppm", facts)


def record(number: int, size: int = 700) -> Record:
    """That sample in a tar."""
    return tar_record(sample(number, size))


def new_shard(db: StateConnection, rendition: Rendition = TAR) -> OpenShard:
    """A new shard of a run for images of `train`."""
    shard = open_shard(db, rendition, "train", f"2017_11/*/{rendition.directory}", f"2017_11/train/{rendition.name}")
    return shard._replace(samples=1000)


def append(root: Path, shard: OpenShard, *numbers: int) -> dict[int, tuple[str, Member]]:
    """Appends samples to a shard; returns the places of each, which have no rows."""
    log = ShardLog(root, shard, 1 << 30)
    placed = {}
    for number in numbers:
        log.reserve()
        placed[number] = log.append(record(number))
    log.close()
    return placed


def put(db: StateConnection, placed: dict[int, tuple[str, Member]], rendition: Rendition = TAR) -> None:
    """Records images as done, with their places in shards."""
    ledger = Ledger(db)
    with ledger.transaction():
        for number, (path, member) in placed.items():
            file = WrittenFile(rendition.name, path, 700, 8, 6, member=member)
            ledger.done(job(number), Done(Source.ORIGINAL, "https://x", 500, "md5", 8, 6, (file,)))
