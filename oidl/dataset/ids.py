"""A file of ImageIDs: one `ImageID` or `subset/ImageID` per line, like the official script."""

import re
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG

from oidl.dataset.streams import heed_cancellation
from oidl.errors import UsageError

_CHECK_LINES = 10_000  # lines between checks for cancellation
_LINE = re.compile(r"(?:[a-z]+/)?([0-9a-f]{16})")


def read_image_ids(path: Path) -> Iterator[str]:
    """The ImageIDs in `path`, in its order; blank lines and lines that start with `#` are skipped.

    Raises `UsageError` for a file that cannot be read, or only once, and for a line that is not an ImageID.
    """
    try:
        if not S_ISREG(path.stat().st_mode):
            raise UsageError(
                f"the list of ImageIDs {path} is not a regular file",
                hint="write the output of a pipe to a file first, because the list is read more than once",
            )
        with open(path, encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if not number % _CHECK_LINES:
                    heed_cancellation()
                text = line.strip()
                if not text or text.startswith("#"):
                    continue
                match = _LINE.fullmatch(text)
                if not match:
                    raise UsageError(
                        f"{path} line {number}: {text[:80]!r} is not an ImageID",
                        hint="write one ImageID per line: 16 hex digits",
                    )
                yield match[1]
    except OSError as error:
        raise UsageError(f"the list of ImageIDs {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the list of ImageIDs {path} is not a text file") from error
