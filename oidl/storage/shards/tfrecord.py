"""TFRecord: an Example for each image, with the keys of TensorFlow's Object Detection API.

A record is its length (8 bytes, little-endian), the masked CRC-32C of these bytes, an Example, and the masked CRC-32C
of the Example (tensorflow/core/lib/io/record_writer.h). An Example is a message of protocol buffers: a map from names
to lists of bytes, floats or integers (tensorflow/core/example/feature.proto). The classes of boxes and labels are MIDs
(`/m/01g317`), as in the Object Detection API's own Open Images sets.
"""

import functools
import struct
from collections.abc import Callable, Iterable, Sequence

from oidl.errors import UsageError
from oidl.hints import install
from oidl.model.sample import FACTS, Sample
from oidl.storage.shards.record import Record, ShardFormat

_MASK_DELTA = 0xA282EAD8
_ATTRIBUTES = ("occluded", "truncated", "group_of", "depiction", "inside")
_FORMATS = {"jpg": "jpeg"}
# Facts under the Object Detection API's own names, or left out because they are there in another form.
_OWN_NAMES = {"image_id", "width", "height", "annotations"}
_LENGTH = struct.Struct("<Q")
_CHECKSUM = struct.Struct("<I")

_Feature = tuple[str, bytes]


def tfrecord_record(sample: Sample) -> Record:
    """A sample as a record. Raises `UsageError` if the library for checksums is not installed."""
    crc32c = checksum_function()
    # The image is the last feature, so its place is known from the end.
    encoded = b"".join(_entry(name, feature) for name, feature in (*_features(sample), _image(sample)))
    example = _delimited(1, encoded)
    length = _LENGTH.pack(len(example))
    data = b"".join((length, _masked(crc32c(length)), example, _masked(crc32c(example))))
    return Record(data, len(data) - _CHECKSUM.size - len(sample.body))


@functools.cache
def checksum_function() -> Callable[[bytes], int]:
    """CRC-32C (Castagnoli) of bytes, by google-crc32c. Raises `UsageError` if it is not installed."""
    try:
        from google_crc32c import value
    except ImportError as error:
        raise UsageError(
            "TFRecord needs the package google-crc32c, which is not installed",
            hint=install("tfrecord"),
        ) from error
    checksum: Callable[[bytes], int] = value
    return checksum


def _features(sample: Sample) -> Iterable[_Feature]:
    facts = sample.facts  # without the text of annotations, which have features of their own
    yield "image/filename", _bytes(f"{sample.key}.{sample.suffix}")
    yield "image/source_id", _bytes(sample.key)
    yield "image/format", _bytes(_FORMATS.get(sample.suffix, sample.suffix))
    yield "image/height", _integers([facts.height])
    yield "image/width", _integers([facts.width])
    for name, kind in FACTS:
        if name not in _OWN_NAMES:
            value = getattr(facts, name)
            yield f"image/{name}", _integers([value]) if kind is int else _bytes(value)
    labels, boxes = sample.labels, sample.boxes
    yield "image/class/text", _bytes(*(label.label_name for label in labels))
    yield "image/class/label", _integers([label.number for label in labels])
    yield "image/class/confidence", _floats([label.confidence for label in labels])
    for side, field in (("xmin", "x_min"), ("xmax", "x_max"), ("ymin", "y_min"), ("ymax", "y_max")):
        yield f"image/object/bbox/{side}", _floats([getattr(box, field) for box in boxes])
    yield "image/object/class/text", _bytes(*(box.label_name for box in boxes))
    yield "image/object/class/label", _integers([box.number for box in boxes])
    for name in _ATTRIBUTES:
        yield f"image/object/{name}", _integers([getattr(box, f"is_{name}") for box in boxes])
    if any(box.mask for box in boxes):
        yield "image/object/mask/rle", _bytes(*(box.mask for box in boxes))


def _image(sample: Sample) -> _Feature:
    return "image/encoded", _delimited(1, _delimited(1, sample.body))


def _entry(name: str, feature: bytes) -> bytes:
    """An entry of the map `Features.feature`."""
    return _delimited(1, _delimited(1, name.encode()) + _delimited(2, feature))


def _bytes(*values: str) -> bytes:
    return _delimited(1, b"".join(_delimited(1, value.encode()) for value in values))


def _floats(values: Sequence[float]) -> bytes:
    return _delimited(2, _delimited(1, struct.pack(f"<{len(values)}f", *values)) if values else b"")


def _integers(values: Sequence[int]) -> bytes:
    packed = b"".join(_varint(value & 0xFFFF_FFFF_FFFF_FFFF) for value in values)
    return _delimited(3, _delimited(1, packed) if values else b"")


def _delimited(number: int, value: bytes) -> bytes:
    """A field of a message, with its length before it."""
    return b"".join((_varint(number << 3 | 2), _varint(len(value)), value))


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _masked(checksum: int) -> bytes:
    return _CHECKSUM.pack(((checksum >> 15 | checksum << 17) + _MASK_DELTA) & 0xFFFF_FFFF)


def tfrecord_flaw(data: bytes, key: str, body: slice) -> str:
    """As in `ShardFormat`: the checksums must be right, and the ImageID and the place of the image as well.

    Raises `UsageError` like `tfrecord_record`.
    """
    crc32c = checksum_function()
    length, example = data[: _LENGTH.size], data[_LENGTH.size + _CHECKSUM.size : -_CHECKSUM.size]
    whole = length, _masked(crc32c(length)), example, _masked(crc32c(example))
    if length != _LENGTH.pack(len(example)) or data != b"".join(whole):
        return "its checksum is wrong"
    is_own = _entry("image/source_id", _bytes(key)) in example and body.stop == len(data) - _CHECKSUM.size
    return "" if is_own else "another sample is at its place"


TFRECORD = ShardFormat("tfrecord", "tfrecord", tfrecord_record, tfrecord_flaw)
