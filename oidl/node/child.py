"""A worker in a process of its own: the child's side. `remote` starts it and describes the protocol."""

import gc
import logging
import math
import os
import pickle
import select
import signal
import socket
import threading
import traceback
from contextlib import aclosing, suppress
from typing import Any

import trio

from oidl.model import Done, Failure, Fetched, Job, KeptBody, OpenShard
from oidl.net.answer import Interrupted
from oidl.net.body import Body
from oidl.net.client import tls_context
from oidl.net.dns import cached_dns
from oidl.net.request import Answer, DirectConnection, Request
from oidl.net.throttle import Throttle
from oidl.node.frames import Call, Frames, Reply
from oidl.node.local import new_local_worker
from oidl.settings import WorkerSettings

_REPORT_S = 0.25
_ALIVE_S = 5.0
_BATCH = 8  # quick images that are announced together

log = logging.getLogger("oidl")


class _CoordinatorHandler(logging.Handler):
    """Sends what is logged here to the coordinator."""

    def __init__(self, frames: Frames, token: trio.lowlevel.TrioToken) -> None:
        super().__init__()
        self._frames = frames
        self._token = token

    def emit(self, record: logging.LogRecord) -> None:
        call = Call(0, "log", (record.levelno, self.format(record)))
        self._token.run_sync_soon(self._frames.send, call)  # any thread may log


class _Child:
    """Does what the coordinator calls for; bodies and connections have the numbers that it gave them."""

    def __init__(self, settings: WorkerSettings, frames: Frames) -> None:
        self._settings = settings
        self._frames = frames
        self._queue, self._queued = trio.open_memory_channel[tuple[int, Job]](math.inf)  # the coordinator bounds it
        self._throttle = Throttle(settings.transfers.max_bytes_per_s)
        self._worker = new_local_worker(settings, tls_context(), self, self._count, has_own_process=True)
        self._connections: dict[int, DirectConnection] = {}
        self._arriving: dict[int, Body] = {}
        self._whole: dict[int, Fetched] = {}
        self._asked: dict[int, tuple[trio.Event, list[Reply]]] = {}
        self._bytes = 0

    # ---- what the coordinator calls

    async def ask(
        self, connection: int, body: int, left_s: float, request: Request
    ) -> tuple[Answer | None, int, int | None]:
        """As `Connection.ask`; also the size and the total of the body."""
        if connection not in self._connections:
            self._connections[connection] = self._worker.new_connection()
        arriving = self._arriving.setdefault(body, Body(left_s))
        arriving.left_s = left_s
        answer = await self._connections[connection].ask(request, arriving)
        if not isinstance(answer, Interrupted):
            del self._arriving[body]
        if isinstance(answer, Fetched):
            answer = self._keep(body, answer)
            if request.job:
                self._queue.send_nowait((body, request.job))
        return answer, arriving.size, arriving.total

    async def close(self, connection: int) -> None:
        """Closes a connection."""
        if opened := self._connections.pop(connection, None):
            await opened.aclose()

    async def abandon(self, body: int) -> None:
        """Drops a body that will not be continued."""
        self._arriving.pop(body, None)

    async def read_original(self, body: int, job: Job) -> Fetched | None:
        """As in `Worker`."""
        fetched = await self._worker.read_original(job)
        return fetched and self._keep(body, fetched)

    async def process(self, body: int, job: Job) -> Done | Failure:
        """As in `Worker`."""
        await self._announce(body)
        return await self._process(body, job)

    async def begin_drain(self) -> None:
        """The run starts draining."""
        self._worker.drain()

    async def sync(self) -> None:
        """As in `Worker`."""
        await self._worker.sync()

    # ---- what the worker asks the coordinator

    async def claim_name(self, name: str, image_id: str) -> bool:
        """As in `Coordinator`."""
        return bool(await self._call("claim_name", name, image_id))

    async def before_replace(self, files: list[tuple[str, str]]) -> None:
        """As in `Coordinator`."""
        await self._call("before_replace", files)

    async def open_shard(self, rendition: str, subset: str) -> OpenShard:
        """As in `Coordinator`."""
        shard: OpenShard = await self._call("open_shard", rendition, subset)
        return shard

    async def shard_is_full(self, shard_id: int, appended: int) -> None:
        """As in `Coordinator`."""
        await self._call("shard_is_full", shard_id, appended)

    # ---- the connection

    async def process_queue(self) -> None:
        """Processes whole bodies, and sends the results under their negative numbers."""
        async for first in self._queued:
            batch = [first]
            with suppress(trio.WouldBlock):
                while len(batch) < _BATCH and self._worker.is_quick(batch[-1][1], self._whole[batch[-1][0]]):
                    batch.append(self._queued.receive_nowait())
            await self._announce(*(body for body, _ in batch))
            for body, job in batch:
                await self.serve(Call(-body, "_process", (body, job)))

    async def report(self) -> None:
        """Sends the bytes that have arrived and the sizes of bodies, a few times a second if there is news."""
        sent_at = trio.current_time()
        while True:
            await trio.sleep(_REPORT_S)
            if self._bytes or trio.current_time() >= sent_at + _ALIVE_S:
                sent_at = trio.current_time()
                sizes = [(number, body.size, body.total) for number, body in self._arriving.items()]
                self._frames.send(Call(0, "progressed", (self._taken_bytes(), sizes)))

    async def serve(self, call: Call) -> None:
        """Answers one call of the coordinator."""
        reply = Reply(call.number, None)
        try:
            reply = Reply(call.number, await getattr(self, call.method)(*call.arguments))
        except Exception as error:  # it is contained, and logged, where the image is known
            reply = Reply(call.number, None, _portable(error))
        if call.number:
            if self._bytes:
                self._frames.send(Call(0, "progressed", (self._taken_bytes(), [])))
            self._frames.send(reply)

    def answered(self, reply: Reply) -> None:
        """The coordinator has answered a call."""
        event, replies = self._asked[reply.number]
        replies.append(reply)
        event.set()

    async def _call(self, method: str, *arguments: object) -> Any:
        number = max(self._asked, default=0) + 1
        event, replies = self._asked[number] = trio.Event(), []
        self._frames.send(Call(number, method, arguments))
        await event.wait()
        del self._asked[number]
        if replies[0].error:
            raise replies[0].error
        return replies[0].value

    async def _announce(self, *bodies: int) -> None:
        """Tells the coordinator which images are next; if this process dies of one, it knows that it was one of them.

        To wait until it can know costs less for several images at once.
        """
        self._frames.send(Call(0, "processing", bodies))
        await self._frames.flush()

    async def _process(self, body: int, job: Job) -> Done | Failure:
        return await self._worker.process(job, self._whole.pop(body))

    def _keep(self, body: int, fetched: Fetched) -> Fetched:
        """Keeps a body, and returns what the coordinator needs to know of it."""
        self._whole[body] = fetched
        kept = KeptBody(self._settings.number, body, len(fetched.body))
        return Fetched(fetched.source, fetched.url, b"", doubt=fetched.doubt, kept=kept)

    async def _count(self, count: int) -> None:
        self._bytes += count
        await self._throttle.consume(count)

    def _taken_bytes(self) -> int:
        count, self._bytes = self._bytes, 0
        return count


def _portable(error: Exception) -> Exception:
    """`error` with its traceback as a note, as an exception that can be sent."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        other = RuntimeError(f"{type(error).__name__}: {error}")
        other.add_note(error.__notes__[-1])
        return other
    return error


def main() -> None:
    """Works until the coordinator closes the socket; Ctrl-C is for the coordinator."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_coordinator, daemon=True).start()
    gc.freeze()  # modules live as long as this process: to search them for garbage takes a twentieth of its CPU time
    trio.run(_serve, socket.socket(fileno=os.dup(0)))


def _end_with_coordinator() -> None:
    """Waits until the socket is closed, then ends this process, even if an image blocks the event loop."""
    socket_end = select.poll()
    socket_end.register(0, 0)  # no event but its end
    socket_end.poll()
    os._exit(0)  # at once: nothing that is still in progress will be recorded


async def _serve(channel: socket.socket) -> None:
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(channel))
    frames = Frames()
    async with aclosing(Frames.received(stream)) as received, trio.open_nursery() as nursery:
        nursery.start_soon(frames.run, stream)
        settings: WorkerSettings = await anext(received)
        log.addHandler(_CoordinatorHandler(frames, trio.lowlevel.current_trio_token()))
        log.setLevel(settings.log_level)
        log.propagate = False
        with cached_dns(settings.transfers.dns_timeout_s):
            child = _Child(settings, frames)
            nursery.start_soon(child.report)
            frames.send(Call(0, "started"))
            await frames.flush()  # it is known to have started before any work may end it
            for _ in range(settings.threads):
                nursery.start_soon(child.process_queue)
            async for frame in received:
                if isinstance(frame, Call):
                    nursery.start_soon(child.serve, frame)
                else:
                    child.answered(frame)
        await trio.sleep_forever()  # the other thread ends this process


if __name__ == "__main__":
    main()
