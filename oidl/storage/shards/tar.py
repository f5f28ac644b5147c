"""WebDataset: the members of a tar whose names begin alike are a sample.

The headers are USTAR (POSIX.1-1988), the same for the same sample whenever and by whomever it is written: no time, no
owner. Members are in the order of their names, as in webdataset's own writer.
"""

import json
from json.encoder import encode_basestring

from oidl.model.sample import FACTS, Sample
from oidl.storage.shards.annotations import with_annotations
from oidl.storage.shards.record import Record, ShardFormat

_BLOCK = 512
_NAME = 100
_MODE, _NOBODY, _NO_TIME, _REGULAR = b"0000644\0", b"0000000\0", b"00000000000\0", b"0"
_MAGIC = b"ustar\x0000"
_SIZE, _CHECKSUM = 12, 8
_BEFORE_SIZE = _MODE + _NOBODY + _NOBODY
_AFTER_CHECKSUM = (_REGULAR + bytes(_NAME) + _MAGIC).ljust(
    _BLOCK - _NAME - len(_BEFORE_SIZE) - _SIZE - len(_NO_TIME) - _CHECKSUM, b"\0"
)
_CONSTANT = (
    sum(_BEFORE_SIZE) + sum(_NO_TIME) + _CHECKSUM * ord(" ") + sum(_AFTER_CHECKSUM)
)  # their part of the checksum
_JSON = "{{{}}}".format(",".join(f'"{name}":%s' for name in ("key", *(name for name, _ in FACTS))))


def tar_record(sample: Sample) -> Record:
    """The two members of a sample: `<ImageID>.<suffix>` and `<ImageID>.json`."""
    image = _member(f"{sample.key}.{sample.suffix}", sample.body)
    facts = _member(f"{sample.key}.json", _json(sample).encode())
    return Record(image + facts, _BLOCK) if sample.suffix < "json" else Record(facts + image, len(facts) + _BLOCK)


def _json(sample: Sample) -> str:
    """The facts of a sample. By a template, which takes half as long as an encoder of the module json."""
    facts = with_annotations(sample).facts
    return _JSON % tuple(
        [encode_basestring(value) if isinstance(value, str) else value for value in (sample.key, *facts)]
    )


def _member(name: str, body: bytes) -> bytes:
    return b"".join((_header(name.encode("ascii"), len(body)), body, bytes(-len(body) % _BLOCK)))


def _header(name: bytes, size: int) -> bytes:
    if len(name) > _NAME:
        raise ValueError(f"a name in a tar has at most {_NAME} bytes, not {len(name)}")
    octal = b"%011o\0" % size
    checksum = b"%06o\0 " % (sum(name) + sum(octal) + _CONSTANT)
    return b"".join((name.ljust(_NAME, b"\0"), _BEFORE_SIZE, octal, _NO_TIME, checksum, _AFTER_CHECKSUM))


def tar_flaw(data: bytes, key: str, body: slice) -> str:
    """As in `ShardFormat`: both members must be whole, and belong to the sample."""
    parts: dict[str, slice] = {}
    at = 0
    try:
        while at < len(data):
            name, size = _read_header(data[at : at + _BLOCK])
            parts[name] = slice(at + _BLOCK, at + _BLOCK + size)
            at += _BLOCK + size + -size % _BLOCK
        facts = json.loads(data[parts.pop(f"{key}.json")])
        (name,) = parts
    except (ValueError, KeyError, RecursionError):
        return "its part of the tar is damaged"
    is_whole = at == len(data) and isinstance(facts, dict) and facts.get("key") == key
    return "" if is_whole and name.startswith(f"{key}.") and parts[name] == body else "another sample is at its place"


def _read_header(header: bytes) -> tuple[str, int]:
    """The name and the size of a member. Raises `ValueError`."""
    size = int(header[124:135], 8)
    name = header[:_NAME].rstrip(b"\0")
    if size < 0 or header != _header(name, size):
        raise ValueError("not a header of ours")
    return name.decode("ascii"), size


WEBDATASET = ShardFormat("webdataset", "tar", tar_record, tar_flaw, end=bytes(2 * _BLOCK))
