"""Times as the database writes them."""

from datetime import UTC, datetime


def timestamp(moment: datetime | None = None) -> str:
    """`moment` (default: now) as the database writes times: UTC ISO 8601, milliseconds, sortable as text."""
    moment = moment or datetime.now(UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def file_timestamp(modified_s: float) -> str | None:
    """When a file was modified, in seconds since 1970, as the database writes times; None if no calendar has that."""
    try:
        return timestamp(datetime.fromtimestamp(modified_s, UTC))
    except (ValueError, OverflowError):
        return None


def parse_timestamp(text: str | None) -> datetime | None:
    """The time that `text` means, in UTC, also if it names no zone; None for no time at all. People edit these too."""
    try:
        moment = datetime.fromisoformat(text) if text else None
        if moment is None or moment.tzinfo is None:
            return moment and moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter of a time that is in no year of ours
        return None
