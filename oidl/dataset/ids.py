"""A file of ImageIDs: one `ImageID` or `subset/ImageID` a line, as the official script takes them."""

import re
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG

from oidl.dataset.streams import heed_cancellation
from oidl.errors import UsageError

_HEEDED = 10_000  # lines, after which cancellation is heeded
_LINE = re.compile(r"(?:[a-z]+/)?([0-9a-f]{16})")


def read_image_ids(path: Path) -> Iterator[str]:
    """The ImageIDs in `path`, as they come; blank lines and lines that start with `#` are passed over.

    Raises `UsageError` for a file that cannot be read, or only once, and for a line that is no ImageID.
    """
    try:
        if not S_ISREG(path.stat().st_mode):
            raise UsageError(
                f"the list of ImageIDs {path} is no regular file",
                hint="it is read more than once: write what comes from a pipe to a file",
            )
        with open(path, encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if not number % _HEEDED:
                    heed_cancellation()
                text = line.strip()
                if not text or text.startswith("#"):
                    continue
                match = _LINE.fullmatch(text)
                if not match:
                    raise UsageError(
                        f"{path} line {number}: {text[:80]!r} is no ImageID", hint="one a line: 16 hex digits"
                    )
                yield match[1]
    except OSError as error:
        raise UsageError(f"the list of ImageIDs {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the list of ImageIDs {path} is no text file") from error
