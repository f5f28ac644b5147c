"""The body of an image while it arrives: in one answer or, where that breaks off, in several.

The rule: what is joined is of one and the same file, and complete, as far as
the server's own words tell. Whether it is the published file is verified after.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO

from oidl.model import Failure
from oidl.net.coding import CODINGS
from oidl.net.headers import content_coding, content_length, server_md5
from oidl.net.ranges import content_range, rest_headers, strong_validator


@dataclass(slots=True)
class Body:
    """What there is of a body; `left_s` seconds are left to all the requests for it together.

    `total` is its length in bytes, None where that was not told; `validator`
    tells this file from later ones at its URL, "" where nothing does; `server_md5`
    is what the server says the whole has, in lower-case hex. `coding` is the content coding to undo, "" for none;
    `doubt` is what status and content type say against it.
    """

    left_s: float
    size: int = 0
    total: int | None = None
    validator: str = ""
    server_md5: str | None = None
    coding: str = ""
    doubt: Failure | None = None
    _bytes: BytesIO = field(default_factory=BytesIO)

    @property
    def range_headers(self) -> dict[str, str]:
        """What asks for the rest of it; nothing where there is no beginning that could be gone on with."""
        return rest_headers(self.size, self.validator)

    @property
    def is_complete(self) -> bool:
        """Whether this is as long as it was said to be; to be asked when an answer came to its end."""
        return self.total is None or self.size == self.total

    @property
    def is_page(self) -> bool:
        """Whether it is said to be a page, and begins like one."""
        if self.doubt is None:  # as nearly always; this is asked for every piece
            return False
        return bytes(self._bytes.getbuffer()[:64]).lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<", b"{"))

    def begin(self, headers: Mapping[str, str], doubt: Failure | None = None) -> None:
        """Forgets what there was, for the whole body that follows these headers."""
        self.forget()
        self.total = content_length(headers.get("Content-Length"))
        self.doubt = doubt
        coding = content_coding(headers)
        self.coding = coding if coding in CODINGS else ""
        self.validator = "" if coding else strong_validator(headers)  # a coded body is fetched in one go
        told = server_md5(headers)
        self.server_md5 = told[0] if told else None

    def goes_on(self, headers: Mapping[str, str]) -> bool:
        """Whether the 206 with these headers brings what comes next of the same file."""
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
        """Takes in what has arrived."""
        self._bytes.write(piece)  # joined at once: a server may send a few bytes at a time
        self.size += len(piece)

    def forget(self) -> None:
        """Starts from nothing."""
        self.size, self.total, self.validator, self.coding, self.doubt = 0, None, "", "", None
        self._bytes = BytesIO()

    def joined(self) -> bytes:
        """All of it, not copied again."""
        return self._bytes.getvalue()
