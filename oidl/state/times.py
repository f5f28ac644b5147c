"""Conversion of times to and from the text in the database."""

from datetime import UTC, datetime


def timestamp(moment: datetime | None = None) -> str:
    """`moment` (default: now) in the format of the database: UTC ISO 8601, milliseconds, sortable as text."""
    moment = moment or datetime.now(UTC)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"  # twice as fast as `strftime`


def file_timestamp(modified_s: float) -> str | None:
    """The modification time of a file, in seconds since 1970, in the format of the database; None if out of range."""
    try:
        return timestamp(datetime.fromtimestamp(modified_s, UTC))
    except (ValueError, OverflowError):
        return None


def parse_timestamp(text: str | None) -> datetime | None:
    """The time in `text`, in UTC, even without a zone; None if it is not a time, because people may edit these too."""
    try:
        moment = datetime.fromisoformat(text) if text else None
        if moment is None or moment.tzinfo is None:
            return moment and moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):  # OverflowError: a year out of range
        return None
