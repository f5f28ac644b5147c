"""Reduces the head of an HTTP answer to the headers that oidl reads, in a form that h11 accepts. Pure.

The rule is curl's: a header that is not needed breaks nothing, however it is
written. A header that says where the body ends is repaired only if its meaning is
unambiguous; otherwise h11 refuses the answer, and the connection is closed.
"""

import re
from dataclasses import dataclass

MAX_HEAD_BYTES = 64 * 1024
MAX_HEAD_LINES = 64
"""The limit on the lines that are kept: servers send one of each."""

_MAX_VALUE_BYTES = 8 * 1024
_MAX_REASON_BYTES = 100

READ_HEADERS = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "date",
        "etag",
        "last-modified",
        "location",
        "retry-after",
        "transfer-encoding",
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-customer-algorithm",
        "x-goog-hash",
        "x-goog-stored-content-encoding",
    }
)
"""Every header that oidl, or the client below it, looks at. All others are dropped unread."""

_NAMES = frozenset(name.encode() for name in READ_HEADERS)
_STATUS_LINE = re.compile(rb"(HTTP/[0-9]\.[0-9]) +([0-9]{3})(?: (.*))?", re.DOTALL)
_REFUSED = re.compile(rb"[\x00\r\v\f\x1c-\x1f\x85]+")  # characters that h11 accepts in no value
_LENGTH = re.compile(rb"[0-9]{1,20}")
_END = re.compile(rb"\n\r?\n")


@dataclass(frozen=True, slots=True)
class Head:
    """The status of an answer, its head in a form that h11 accepts, and how its body ends.

    `length` is that of the body in bytes, None if chunks (`is_chunked`) or the end of the connection determine it.
    """

    status: int
    data: bytes
    length: int | None
    is_chunked: bool


def head_end(data: bytes | bytearray, start: int = 0) -> int:
    """The offset of the body, after the first empty line at or after `start`; 0 if that has not arrived."""
    end = _END.search(data, max(0, start - 3))
    return end.end() if end else 0


def read_head(raw: bytes) -> Head:
    """The head in `raw`, which ends with an empty line. Raises `ValueError`, with a message, if it is not HTTP."""
    first, *lines = raw.rstrip(b"\r\n").split(b"\n")
    status = _STATUS_LINE.fullmatch(first.rstrip())
    if status is None:
        raise ValueError(f"the answer is not HTTP: it starts with {bytes(first[:40])!r}")
    reason = _REFUSED.sub(b" ", status[3] or b"")[:_MAX_REASON_BYTES]
    fields = _fields(lines)
    if len(fields) > MAX_HEAD_LINES:
        raise ValueError(f"the answer has more than {MAX_HEAD_LINES} header lines that matter")
    names = [name for name, _ in fields]
    is_chunked = b"transfer-encoding" in names
    if is_chunked and b"content-length" in names:
        # RFC 9112, 6.3: the chunks count, and the bytes after this answer cannot be trusted to be the next one.
        fields = [field for field in fields if field[0] != b"content-length"]
        fields.append((b"connection", b"close"))
    length = next((value for name, value in fields if name == b"content-length"), b"")
    clean = [b"%s %s %s" % (status[1], status[2], reason), *(b"%s: %s" % field for field in fields)]
    return Head(
        status=int(status[2]),
        data=b"\r\n".join(clean) + b"\r\n\r\n",
        length=int(length) if _LENGTH.fullmatch(length) else None,
        is_chunked=is_chunked,
    )


def _fields(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    fields: list[tuple[bytes, bytes]] = []
    is_kept = False
    for line in lines:
        if line[:1] in (b" ", b"\t"):  # it continues the line before (RFC 9112, 5.2)
            if is_kept:
                name, value = fields[-1]
                fields[-1] = name, (value + b" " + _cleaned(line)).strip()
            continue
        name, colon, value = line.partition(b":")
        name = name.strip().lower()
        is_kept = bool(colon) and name in _NAMES and len(value) <= _MAX_VALUE_BYTES
        if is_kept:
            fields.append((name, _cleaned(value)))
    return [(name, repaired) for name, value in fields if (repaired := _repaired(name, value)) is not None]


def _cleaned(value: bytes) -> bytes:
    return _REFUSED.sub(b" ", value).strip()


def _repaired(name: bytes, value: bytes) -> bytes | None:
    """`value` in a form that h11 accepts; None if it says nothing."""
    if name == b"content-length":
        return value.removeprefix(b"+") or None
    if name == b"transfer-encoding":
        return None if value.lower() in (b"", b"identity") else value
    return value
