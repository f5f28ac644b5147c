"""The body of an image while it arrives: in one answer or, if that breaks off, in several.

The rule: parts are joined only if they belong to the same file, and the result
is complete, as far as the server says. A later step verifies that it is the published file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import ClassVar

from oidl.model import Failure
from oidl.net.coding import CODINGS
from oidl.net.headers import content_coding, content_length, server_md5
from oidl.net.ranges import content_range, rest_headers, strong_validator


@dataclass(slots=True)
class Body:
    """The bytes of a body so far; all further requests for it together have `left_s` seconds.

    `total` is its length in bytes, None if the server did not say; `validator`
    distinguishes this file from later ones at its URL, "" if nothing does; `server_md5`
    is the server's MD5 of the whole, in lower-case hex. `coding` is the content coding to undo, "" for none;
    `doubt` is the objection from status and content type.
    """

    left_s: float
    size: int = 0
    total: int | None = None
    validator: str = ""
    server_md5: str | None = None
    coding: str = ""
    doubt: Failure | None = None
    worker: ClassVar[int] = 0
    _bytes: BytesIO = field(default_factory=BytesIO)

    @property
    def range_headers(self) -> dict[str, str]:
        """The headers that ask for the rest of it; empty if there is no beginning that could be continued."""
        return rest_headers(self.size, self.validator)

    @property
    def is_complete(self) -> bool:
        """Whether it is as long as announced; meaningful at the end of an answer."""
        return self.total is None or self.size == self.total

    @property
    def is_page(self) -> bool:
        """Whether it is announced as a page and begins like one."""
        if self.doubt is None:  # as nearly always; this runs for every piece
            return False
        return bytes(self._bytes.getbuffer()[:64]).lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<", b"{"))

    def begin(self, headers: Mapping[str, str], doubt: Failure | None = None) -> None:
        """Drops the bytes so far, because the whole body follows these headers."""
        self.forget()
        self.total = content_length(headers.get("Content-Length"))
        self.doubt = doubt
        coding = content_coding(headers)
        self.coding = coding if coding in CODINGS else ""
        self.validator = "" if coding else strong_validator(headers)  # a coded body is never continued
        md5 = server_md5(headers)
        self.server_md5 = md5[0] if md5 else None

    def is_continued_by(self, headers: Mapping[str, str]) -> bool:
        """Whether a 206 with these headers brings the next bytes of the same file."""
        span = content_range(headers)
        if span is None or span.start != self.size:
            return False
        if None not in (self.total, span.total) and self.total != span.total:
            return False
        if strong_validator(headers) not in ("", self.validator):  # a server that overlooks If-Range
            return False
        self.total = span.total if self.total is None else self.total
        return True

    def add(self, piece: bytes) -> None:
        """Appends the piece that has arrived."""
        self._bytes.write(piece)  # joined at once: a server may send a few bytes at a time
        self.size += len(piece)

    def forget(self) -> None:
        """Drops all bytes and all that is known about the body."""
        self.size, self.total, self.validator, self.coding, self.doubt = 0, None, "", "", None
        self._bytes = BytesIO()

    def abandon(self) -> None:
        """As in `ArrivingBody`: there is nothing to do, because nothing else refers to the bytes."""

    def joined(self) -> bytes:
        """All of it, without another copy."""
        return self._bytes.getvalue()
