"""Times as the database writes them."""

from datetime import UTC, datetime


def timestamp(moment: datetime | None = None) -> str:
    """`moment` (default: now) as the database writes times: UTC ISO 8601, milliseconds, sortable as text."""
    moment = moment or datetime.now(UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def parse_timestamp(text: str | None) -> datetime | None:
    """The time that `text` means, in UTC if it names no zone; None for no time at all. People edit these too."""
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment
