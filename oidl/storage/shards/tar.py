"""WebDataset: the members of a tar whose names begin alike are a sample.

The headers are USTAR (POSIX.1-1988), the same for the same sample whenever and by whomever it is written: no time, no
owner. Members are in the order of their names, as in webdataset's own writer.
"""

import json
from dataclasses import asdict
from itertools import accumulate

from oidl.model.sample import Sample
from oidl.storage.shards.annotations import with_annotations
from oidl.storage.shards.record import Record, ShardFormat

_BLOCK = 512
_NAME = 100
_MODE, _NOBODY, _NO_TIME, _REGULAR = b"0000644\0", b"0000000\0", b"00000000000\0", b"0"
_MAGIC = b"ustar\x0000"


def tar_record(sample: Sample) -> Record:
    """The two members of a sample: `<ImageID>.<suffix>` and `<ImageID>.json`."""
    facts = {"key": sample.key, **asdict(with_annotations(sample).facts)}
    text = json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode()
    names = sorted((sample.suffix, "json"))
    members = [_member(f"{sample.key}.{name}", text if name == "json" else sample.body) for name in names]
    begins = [0, *accumulate(map(len, members))]
    return Record(b"".join(members), begins[names.index(sample.suffix)] + _BLOCK)


def _member(name: str, body: bytes) -> bytes:
    return b"".join((_header(name.encode("ascii"), len(body)), body, bytes(-len(body) % _BLOCK)))


def _header(name: bytes, size: int) -> bytes:
    if len(name) > _NAME:
        raise ValueError(f"a name in a tar has at most {_NAME} bytes, not {len(name)}")
    before = b"".join((name.ljust(_NAME, b"\0"), _MODE, _NOBODY, _NOBODY, b"%011o\0" % size, _NO_TIME))
    after = (_REGULAR + bytes(_NAME) + _MAGIC).ljust(_BLOCK - len(before) - 8, b"\0")
    checksum = sum(before) + 8 * ord(" ") + sum(after)
    return b"".join((before, b"%06o\0 " % checksum, after))


WEBDATASET = ShardFormat("webdataset", "tar", tar_record, end=bytes(2 * _BLOCK))
