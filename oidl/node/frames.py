"""Values between two processes of one program, over a socket: pickled, each after its length (4 bytes, big-endian).

Both ends are the same version of oidl on the same machine, and the socket has no name, so nothing else can send here.
"""

import copyreg
import pickle
from collections.abc import AsyncGenerator, Callable
from dataclasses import fields
from functools import lru_cache
from io import BytesIO
from operator import attrgetter
from typing import Any, NamedTuple

import trio

from oidl.model import Done, Failure, Fetched, Job, KeptBody, Rendition, WrittenFile
from oidl.model.sample import SampleBox, SampleLabel
from oidl.net.answer import Download
from oidl.net.request import Request
from oidl.progress.statistics import Processing, Transferring

_READ_BYTES = 256 * 1024
_LENGTH_BYTES = 4


class Call(NamedTuple):
    """Calls a method of the other side. Its result is sent back as a `Reply` with this number, unless that is 0."""

    number: int
    method: str
    arguments: tuple[Any, ...] = ()


class Reply(NamedTuple):
    """The result of a call, or the exception that it raised."""

    number: int
    value: Any
    error: Exception | None = None


class Frames:
    """Sends and receives values; `run` sends what is queued, so that `send` never waits."""

    def __init__(self) -> None:
        self._unsent = bytearray()
        self._has_more = trio.Event()
        self._is_sending = False
        self._has_sent = trio.Event()

    def send(self, value: object) -> None:
        """Queues `value`. What is queued for a side that has gone is never sent."""
        data = pickled(value)
        self._unsent += len(data).to_bytes(_LENGTH_BYTES, "big")
        self._unsent += data
        self._has_more.set()

    async def flush(self) -> None:
        """Returns when all that is queued now is on its way, even if this process dies."""
        while self._unsent or self._is_sending:
            await self._has_sent.wait()

    async def run(self, stream: trio.SocketStream) -> None:
        """Sends what is queued, until cancelled, or until the other side has gone."""
        try:
            while True:
                await self._has_more.wait()
                self._has_more = trio.Event()
                data, self._unsent = self._unsent, bytearray()
                self._is_sending = True
                await stream.send_all(data)
                self._is_sending = False
                self._has_sent.set()
                self._has_sent = trio.Event()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    @staticmethod
    async def received(stream: trio.SocketStream) -> AsyncGenerator[Any, None]:
        """Every value that arrives, until the other side closes the socket or its process ends."""
        data = bytearray()
        while True:
            try:
                piece = await stream.receive_some(_READ_BYTES)
            except trio.BrokenResourceError:
                return
            if not piece:
                return
            data += piece
            start = 0
            while len(data) >= start + _LENGTH_BYTES:
                end = start + _LENGTH_BYTES + int.from_bytes(data[start : start + _LENGTH_BYTES], "big")
                if len(data) < end:
                    break
                yield pickle.loads(memoryview(data)[start + _LENGTH_BYTES : end])
                start = end
            del data[:start]


# ---- pickling, in half of the time that pickle needs by itself


def _by_fields(kind: type[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """How a value of the dataclass `kind` is pickled: as a call of it. By itself, pickle does Python work per field."""
    values_of = attrgetter(*(field.name for field in fields(kind)))
    return lambda value: (kind, values_of(value))


def _reduced_job(job: Job) -> tuple[Any, ...]:
    """The same for a job, with its renditions, which are those of many others, pickled only once."""
    values = _values_of_job(job)
    return _job, (_pickled_renditions(job.missing_renditions), *values)


def _job(renditions: bytes, *values: Any) -> Job:
    by_name = dict(zip(_OTHER_FIELDS, values, strict=True))
    return Job(missing_renditions=_unpickled_renditions(renditions), **by_name)


_OTHER_FIELDS = [field.name for field in fields(Job) if field.name != "missing_renditions"]
_values_of_job = attrgetter(*_OTHER_FIELDS)

_REDUCERS = copyreg.dispatch_table.copy()
_KINDS = (
    Done, Download, Failure, Fetched, KeptBody, Processing, Request, SampleBox, SampleLabel, Transferring, WrittenFile,
)  # fmt: skip
_REDUCERS |= {kind: _by_fields(kind) for kind in _KINDS}
_REDUCERS[Job] = _reduced_job


def pickled(value: object) -> bytes:
    """`value` for `pickle.loads` in another process of the same version."""
    buffer = BytesIO()
    pickler = pickle.Pickler(buffer, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = _REDUCERS
    pickler.dump(value)
    return buffer.getvalue()


@lru_cache
def _pickled_renditions(renditions: tuple[Rendition, ...]) -> bytes:
    return pickle.dumps(renditions)


@lru_cache
def _unpickled_renditions(data: bytes) -> tuple[Rendition, ...]:
    renditions: tuple[Rendition, ...] = pickle.loads(data)
    return renditions
