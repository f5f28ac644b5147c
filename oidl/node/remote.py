"""A worker in a process of its own: the coordinator's side. `child` is the other side.

The two call each other's methods (`frames`). The first value from here is the `WorkerSettings`; then the coordinator
calls `ask` for each request, `read_original` and `process`, and gets back what happened, without the bytes. A body
stays in the child, under a number that the coordinator gave it. If a request has the job, the child processes a whole
body at once, and replies under the negative number of the body. The child reports the bytes that arrive, and that it is
alive; rarely, it calls for something that only the coordinator may do (`Coordinator`).

When the socket is closed the child ends at once, so a killed run leaves no process behind. A child that ends earlier,
or that is silent for too long, is replaced, and all that it had in progress fails with `WorkerDiedError`.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import trio

from oidl.errors import OidlError
from oidl.model import Done, Failure, Fetched, Job
from oidl.net.answer import Interrupted
from oidl.net.request import Answer, ArrivingBody, Request
from oidl.node.frames import Call, Frames, Reply
from oidl.node.launch import live
from oidl.node.worker import Coordinator, WorkerDiedError
from oidl.settings import WorkerSettings
from oidl.text import printable, shortened

_FAILURES = 5.0  # processes in a row that ended before they had done anything, until no more are started
_LATER = 0.1  # how much one counts that had started, or was killed from outside
_STARTING_LOAD = 1_000_000  # so that others are taken if there is a choice
_CLOSE_S = 2.0
_LOG_CHARACTERS = 20_000

log = logging.getLogger("oidl")


@dataclass(slots=True)
class _Body:
    """What is known here about a body that a child receives or keeps."""

    number: int
    left_s: float
    owner: "ChildWorker"
    size: int = 0
    total: int | None = None
    is_partial: bool = False

    @property
    def worker(self) -> int:
        return self.owner.number

    def abandon(self) -> None:
        if self.is_partial:
            self.owner.notify("abandon", self.number)


class _Connection:
    """A connection of a child. A child that is new opens it again when it is used."""

    def __init__(self, owner: "ChildWorker", number: int) -> None:
        self._owner = owner
        self._number = number

    @property
    def worker(self) -> int:
        return self._owner.number

    @property
    def is_reserved(self) -> bool:
        return self._owner.is_reserved

    @property
    def load(self) -> int:
        return self._owner.load

    def new_body(self, left_s: float) -> _Body:
        return self._owner.new_body(left_s)

    async def ask(self, request: Request, body: ArrivingBody) -> Answer | None:
        assert isinstance(body, _Body)
        return await self._owner.ask(self._number, request, body)

    async def aclose(self) -> None:
        with trio.move_on_after(_CLOSE_S), suppress(WorkerDiedError):
            await self._owner.call("close", self._number)


@dataclass(slots=True)
class _Pending:
    """A call that has no reply yet, about this `body` if it is not 0."""

    body: int = 0
    has_ended: trio.Event = field(default_factory=trio.Event)
    value: Any = None
    error: Exception | None = None

    def end(self, reply: Reply) -> None:
        """The child has replied."""
        self.value, self.error = reply.value, reply.error
        self.has_ended.set()

    def fail(self, error: WorkerDiedError) -> None:
        """The child has died."""
        if not self.has_ended.is_set():
            self.error = error
            self.has_ended.set()


class ChildWorker:
    """A `Worker` in a process of its own, which `run` starts, and replaces when it dies.

    `coordinator` answers its questions, `on_bytes` is called with numbers of bytes that have arrived, `say` with texts
    for the user. If it `is_reserved` (the quarantine), it serves only requests that name it, and starts at the first.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        coordinator: Coordinator,
        on_bytes: Callable[[int], None],
        say: Callable[[str], None],
        *,
        is_reserved: bool = False,
    ) -> None:
        self.number = settings.number
        self.threads = settings.threads
        self.is_reserved = is_reserved
        self._settings = settings
        self._coordinator = coordinator
        self._on_bytes = on_bytes
        self._say = say
        self._numbers = count(1)
        self._pending: dict[int, _Pending] = {}
        self._arriving: dict[int, _Body] = {}
        self._kept: set[int] = set()
        self._processing: set[int] = set()  # bodies that the child has begun to process
        self._is_needed = trio.Event()
        self.has_started = trio.Event()  # one of its processes; others follow
        self._is_running = self._is_draining = self._has_worked = self._has_ended = False
        self._frames = self._new_frames(0)
        if not is_reserved:
            self._is_needed.set()

    def __repr__(self) -> str:
        return f"<ChildWorker {self.number}: {len(self._pending)} calls in progress, {len(self._kept)} bodies kept>"

    @property
    def load(self) -> int:
        """As in `Worker`; as if it were overloaded as long as its process has not started."""
        return len(self._pending) + len(self._kept) + (0 if self._is_running else _STARTING_LOAD)

    def new_connection(self) -> _Connection:
        """As in `Worker`."""
        return _Connection(self, next(self._numbers))

    def new_body(self, left_s: float) -> _Body:
        """A body without bytes."""
        return _Body(next(self._numbers), left_s, self)

    async def read_original(self, job: Job) -> Fetched | None:
        """As in `Worker`."""
        body = next(self._numbers)
        fetched: Fetched | None = await self.call("read_original", body, job)
        if fetched:
            self._kept.add(body)
        return fetched

    async def process(self, job: Job, fetched: Fetched) -> Done | Failure:
        """As in `Worker`. If the child has the job already, it began when the body was whole."""
        assert fetched.kept
        number = fetched.kept.number
        result: Done | Failure
        if early := self._pending.get(-number):
            result = await self._result(-number, early)
        elif number in self._kept:
            self._kept.discard(number)
            result = await self.call("process", number, job, body=number)
        else:  # its process has died meanwhile, for another reason
            raise WorkerDiedError("died meanwhile")
        return result

    async def ask(self, connection: int, request: Request, body: _Body) -> Answer | None:
        """As `Connection.ask`."""
        self._arriving[body.number] = body
        if request.job:
            self._pending[-body.number] = _Pending(body.number)
        answer: Answer | None = None
        try:
            answer, body.size, body.total = await self.call("ask", connection, body.number, body.left_s, request)
        finally:
            del self._arriving[body.number]
            if not isinstance(answer, Fetched):
                self._pending.pop(-body.number, None)
        body.is_partial = isinstance(answer, Interrupted)
        if isinstance(answer, Fetched) and not request.job:
            self._kept.add(body.number)
        return answer

    def drain(self) -> None:
        """Requests that are not sent yet are given up."""
        self._is_draining = True
        self.notify("begin_drain")

    async def sync(self) -> None:
        """As in `Worker`."""
        if self._is_running:
            with suppress(WorkerDiedError):
                await self.call("sync")

    async def call(self, method: str, *arguments: object, body: int = 0) -> Any:
        """The result of a method of the child, about this `body`. Raises what that raised, or `WorkerDiedError`."""
        if self._has_ended:
            raise WorkerDiedError("was stopped")
        number = next(self._numbers)
        pending = self._pending[number] = _Pending(body)
        self._is_needed.set()
        self._frames.send(Call(number, method, arguments))
        return await self._result(number, pending)

    def notify(self, method: str, *arguments: object) -> None:
        """Calls a method of the child that has no result."""
        self._frames.send(Call(0, method, arguments))

    async def run(self) -> None:
        """Keeps a process running until cancelled, then kills it. Raises `OidlError` if it cannot be started."""
        failures = 0.0
        try:
            for life in count(1):
                await self._is_needed.wait()
                self._has_worked = False
                death = await live(self._frames, self._handle)
                if death.printed:
                    log.error("a worker process printed before it %s:\n%s", death.text, death.printed)
                cost = _LATER if self._is_running or death.was_killed else 1.0
                failures, self._is_running = 0.0 if self._has_worked else failures + cost, False
                if failures >= _FAILURES:
                    raise OidlError(f"worker processes fail: the last one {death.text}", hint="try `--processes 1`")
                self._frames = self._new_frames(life)
                self._fail_all(death.text, was_killed=death.was_killed)
                self._say(f"a worker process {death.text}; another one takes over its images")
        finally:
            self._has_ended = True
            self._fail_all("was stopped", was_killed=True)

    async def _result(self, number: int, pending: "_Pending") -> Any:
        try:
            await pending.has_ended.wait()
        finally:
            self._pending.pop(number, None)
        if pending.error:
            raise pending.error
        return pending.value

    def _fail_all(self, death: str, *, was_killed: bool) -> None:
        """The child has died: nothing will come of what it had."""
        for pending in self._pending.values():
            pending.fail(WorkerDiedError(death, was_processing=pending.body in self._processing, was_killed=was_killed))
        self._kept.clear()
        self._processing.clear()

    def _handle(self, value: Call | Reply, nursery: trio.Nursery) -> None:
        """Does what the child sent `value` for; what takes longer runs in `nursery`."""
        if isinstance(value, Reply):
            self._has_worked = True
            if pending := self._pending.get(value.number):
                self._processing.discard(pending.body)
                pending.end(value)
            return
        match value.method, value.arguments:
            case "started", _:
                self._is_running = True
                self.has_started.set()
            case "processing", bodies:
                self._processing.update(bodies)
            case "progressed", (arrived, sizes):
                if arrived:
                    self._on_bytes(arrived)
                for number, size, total in sizes:
                    if body := self._arriving.get(number):
                        body.size, body.total = size, total
            case "log", (level, text):
                log.log(level, "%s", shortened(printable(text), _LOG_CHARACTERS))
            case _:
                nursery.start_soon(self._answer, value)

    async def _answer(self, call: Call) -> None:
        """Answers a question of the child. An error here ends the run, as it would without a child."""
        self._frames.send(Reply(call.number, await getattr(self._coordinator, call.method)(*call.arguments)))

    def _new_frames(self, life: int) -> Frames:
        """The frames for the next process, which begin with its settings."""
        frames = Frames()
        frames.send(replace(self._settings, part=f"{self.number}.{life}."))
        if self._is_draining:
            frames.send(Call(0, "begin_drain"))
        return frames
