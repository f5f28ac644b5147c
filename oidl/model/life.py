"""The life of an image: its four states, and every step from one to another.

An image is born `pending`, when an image list names it: its row in `download` says that nothing is known about it yet.
From then on its `status` answers one question: "what should happen to it next?"

- `pending`: it should be tried. Nothing is known against it.
- `retry`: it should be tried again, but not before `next_attempt_at`. Either a try failed in a way that may pass, or
  there was no try, because its host was paused or unreachable.
- `done`: nothing. Every requested file is in place, and was in place before the row said so. If more is requested
  later (another rendition, or everything again), the image is tried again and stays `done` meanwhile.
- `failed`: nothing. The evidence is about the photo, and it is enough.

There is no state for "in progress". Only the running process knows what is in progress, so a kill at any moment leaves
each image where it was, and costs repeated work, never a lie.

`LIFE` lists all steps. Rows are written in four places only: `ledger` records the results of a run, `requeue` resets
images when the user asks for it or evidence is withdrawn, `license_removal` removes images because of their licence,
and `load` and `merge` follow the image list. A test
(`tests/state/test_life.py`) makes each of them write from every state, and fails if a step is taken that is not in
`LIFE`, or if a step in `LIFE` cannot be taken.
"""

from enum import StrEnum
from typing import NamedTuple


class Status(StrEnum):
    """What should happen to an image next. The feed takes only `pending`, and `retry` when due."""

    PENDING = "pending"
    RETRY = "retry"
    DONE = "done"
    FAILED = "failed"


class Event(StrEnum):
    """What moves an image from one status to another."""

    LISTED = "an image list names it"
    OBTAINED = "every file asked for is in place"
    FAILED_FOR_NOW = "a try failed in a way that may pass"
    FAILED_FOR_GOOD = "a try failed, and that is final"
    POSTPONED = "its host is paused or unreachable"
    RETRIED = "`--retry-failed`"
    EVIDENCE_WITHDRAWN = "everything failed for one reason, so the path was disturbed"
    FILES_LOST = "its files are missing, damaged or about to be replaced"
    LICENSE_REMOVED = "it was removed because of its licence"
    LIST_CHANGED = "the image list publishes another file or URL"


class Step(NamedTuple):
    """One step: `writer` is the function in `oidl.state` that writes it; `before` is None if there was no row."""

    before: Status | None
    event: Event
    after: Status
    writer: str


_PENDING, _RETRY, _DONE, _FAILED = Status

LIFE: tuple[Step, ...] = (
    Step(None, Event.LISTED, _PENDING, "load.load_list"),
    Step(_PENDING, Event.OBTAINED, _DONE, "ledger.done"),
    Step(_RETRY, Event.OBTAINED, _DONE, "ledger.done"),
    Step(_DONE, Event.OBTAINED, _DONE, "ledger.done"),
    Step(_PENDING, Event.FAILED_FOR_NOW, _RETRY, "ledger.failed"),
    Step(_RETRY, Event.FAILED_FOR_NOW, _RETRY, "ledger.failed"),
    Step(_DONE, Event.FAILED_FOR_NOW, _RETRY, "ledger.failed"),
    Step(_PENDING, Event.FAILED_FOR_GOOD, _FAILED, "ledger.failed"),
    Step(_RETRY, Event.FAILED_FOR_GOOD, _FAILED, "ledger.failed"),
    Step(_DONE, Event.FAILED_FOR_GOOD, _FAILED, "ledger.failed"),
    Step(_PENDING, Event.POSTPONED, _RETRY, "ledger.postponed"),
    Step(_RETRY, Event.POSTPONED, _RETRY, "ledger.postponed"),
    Step(_DONE, Event.POSTPONED, _RETRY, "ledger.postponed"),
    Step(_FAILED, Event.RETRIED, _PENDING, "requeue.requeue_failures"),
    Step(_FAILED, Event.EVIDENCE_WITHDRAWN, _RETRY, "requeue.requeue_streak"),
    Step(_DONE, Event.FILES_LOST, _PENDING, "requeue.requeue"),
    Step(_FAILED, Event.FILES_LOST, _PENDING, "requeue.requeue"),
    Step(_PENDING, Event.LICENSE_REMOVED, _FAILED, "license_removal.remove_licensed_rows"),
    Step(_RETRY, Event.LICENSE_REMOVED, _FAILED, "license_removal.remove_licensed_rows"),
    Step(_DONE, Event.LICENSE_REMOVED, _FAILED, "license_removal.remove_licensed_rows"),
    Step(_PENDING, Event.LIST_CHANGED, _PENDING, "merge.merge"),
    Step(_RETRY, Event.LIST_CHANGED, _PENDING, "merge.merge"),
    Step(_DONE, Event.LIST_CHANGED, _PENDING, "merge.merge"),
    Step(_FAILED, Event.LIST_CHANGED, _PENDING, "merge.merge"),
)
"""Every step that a row of `download` can take."""
