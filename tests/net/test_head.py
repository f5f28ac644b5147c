"""Heads of answers: the headers that are kept, which include all that any code reads."""

import re
from pathlib import Path

import pytest

import oidl
from oidl.net.head import READ_HEADERS, head_end, read_head


def test_only_headers_that_are_read_are_kept() -> None:
    raw = b'HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\nX-Cache: HIT\r\nETag:  "a"\r\n\r\n'
    assert read_head(raw).data == b'HTTP/1.1 200 OK\r\ncontent-length: 5\r\netag: "a"\r\n\r\n'


def test_every_header_that_the_program_reads_is_kept() -> None:
    net = Path(oidl.__file__).parent / "net"
    read = re.compile(r"""headers(?:\.get\(|\[|,\s*)"([\w-]+)"|"([\w-]+)" in (?:response\.)?headers|name in headers""")
    names = {name.lower() for path in net.glob("*.py") for found in read.findall(path.read_text()) for name in found}
    assert names - {""} >= {"content-length", "etag", "retry-after", "location"}
    assert names - {""} <= READ_HEADERS


def test_a_continued_line_is_one_line_and_that_of_a_dropped_one_is_dropped() -> None:
    raw = b'HTTP/1.1 200 OK\r\nETag: "a\r\n b"\r\nServer: x\r\n\ty\r\n\r\n'
    assert read_head(raw).data == b'HTTP/1.1 200 OK\r\netag: "a b"\r\n\r\n'


def test_how_the_body_ends_is_told() -> None:
    def ends(lines: bytes) -> tuple[int | None, bool]:
        head = read_head(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n")
        return head.length, head.is_chunked

    assert ends(b"Content-Length: +5\r\n") == (5, False)
    assert ends(b"Transfer-Encoding: Chunked\r\n") == (None, True)
    assert ends(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") == (None, True)
    assert ends(b"Transfer-Encoding: identity\r\n") == (None, False)
    assert ends(b"") == (None, False)


def test_a_value_that_is_too_long_says_nothing() -> None:
    assert b"location" not in read_head(b"HTTP/1.1 302 x\r\nLocation: /" + b"a" * 9000 + b"\r\n\r\n").data


@pytest.mark.parametrize(
    "first", [b"", b"HTTP/1.1", b"HTTP/1.1 20", b"HTTP/1.1 2000 OK", b"HTTP 200 OK", b"GET / HTTP/1.1"]
)
def test_what_does_not_begin_like_http_is_not_read(first: bytes) -> None:
    with pytest.raises(ValueError, match="not HTTP"):
        read_head(first + b"\r\n\r\n")


def test_the_end_is_found_by_either_kind_of_line_end() -> None:
    assert head_end(b"a\r\n\r\nb") == 5
    assert head_end(b"a\n\nb") == 3
    assert head_end(b"a\r\n") == 0
    assert head_end(b"a\r\n\r\nb", 4) == 5
