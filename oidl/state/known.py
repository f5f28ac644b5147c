"""Conversion of stored words to enums; a word that someone else wrote there is an error with its table."""

from enum import StrEnum
from typing import TypeVar

from oidl.errors import StateError
from oidl.model import ResizeMode, Status
from oidl.text import printable, shortened

_CHARACTERS = 40

E = TypeVar("E", bound=StrEnum)


def known_status(text: str) -> Status:
    """The status of an image. Raises `StateError` for an unknown one."""
    return _known(Status, text, "an image has the status", "download (or status_count)")


def known_mode(text: str | None) -> ResizeMode | None:
    """The resize mode of a rendition, None for unchanged images. Raises `StateError` for an unknown one."""
    return _known(ResizeMode, text, "a rendition has the mode", "rendition") if text else None


def _known(kind: type[E], text: str, what: str, table: str) -> E:
    try:
        return kind(text)
    except ValueError:
        raise StateError(
            f"{what} {shortened(printable(text), _CHARACTERS)!r} in the state database, which is not one of "
            f"{', '.join(kind)}",
            hint=f"correct the table {table}, which was changed by hand or is damaged",
        ) from None
