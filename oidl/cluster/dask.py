"""Dask: connects to a scheduler, or starts one with workers on this machine, and calls functions on its workers.

A call is a task that only the given worker may do, so Dask never moves it. If that worker goes, the call fails;
whatever else becomes of the task is dropped.
"""

import logging
import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from functools import partial
from itertools import count
from multiprocessing import resource_tracker
from typing import Any
from uuid import uuid4

import trio

from oidl.cluster.address import ClusterAddress
from oidl.cluster.engine import ClusterError, Engine, NodeLostError, NoWorkers
from oidl.cores import usable_cores
from oidl.errors import UsageError
from oidl.hints import install
from oidl.node.stop import Stop
from oidl.node.threads import run_abandonable

_LOOK_S = 30.0
_RESULT_S = 60.0
_CLOSE_S = 10.0
_GIVE_UP_S = 0.1
_LOGGERS = ("distributed", "distributed.client", "tornado", "tornado.application", "asyncio")
_THREADS = 256
_TLS_HINT = "set DASK_DISTRIBUTED__COMM__TLS__CA_FILE and the others that `oidl help cluster` lists"


class DaskEngine:
    """The `Engine` of a client of Dask."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._name = f"oidl-{uuid4().hex[:8]}"
        self._numbers = count()
        self._gone: dict[str, trio.Event] = {}  # of workers that are called now
        self._looking = trio.CapacityLimiter(1)
        self._getting = trio.CapacityLimiter(_THREADS)

    async def addresses(self) -> frozenset[str]:
        """As in `Engine`."""
        found: frozenset[str] | None = None
        with trio.move_on_after(_LOOK_S), suppress(OSError, TimeoutError):
            found = await run_abandonable(self._look, limiter=self._looking)
        if found is None:
            raise ClusterError("the scheduler of the cluster has gone", hint="run again when it is back")
        for address, event in self._gone.items():
            if address not in found:
                event.set()
        return found

    async def call(self, address: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """As in `Engine`."""
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError
        from distributed.comm.core import CommClosedError

        token, done = trio.lowlevel.current_trio_token(), trio.Event()
        gone = self._gone.setdefault(address, trio.Event())
        future = self._client.submit(
            function,
            *arguments,
            key=f"{self._name}-{next(self._numbers)}",
            workers=[address],
            allow_other_workers=False,
            pure=False,
        )
        future.add_done_callback(lambda _: _set(token, done))
        try:
            await _either(done, gone)
            if not done.is_set():
                raise NodeLostError("has left the cluster")
            return await run_abandonable(partial(future.result, timeout=_RESULT_S), limiter=self._getting)
        except (KilledWorker, FutureCancelledError, CommClosedError, TimeoutError) as error:
            raise NodeLostError("has left the cluster") from error
        finally:
            if gone.is_set():
                self._gone.pop(address, None)
            with suppress(Exception):
                future.cancel()

    def _look(self) -> frozenset[str]:
        return frozenset(self._client.nthreads())


@asynccontextmanager
async def open_engine(
    address: ClusterAddress, say: Callable[[str], None], stop: Stop | None = None
) -> AsyncIterator[Engine]:
    """The engine of the cluster at `address`; it has no workers if `stop` drains before they have started.

    Raises `UsageError` if it cannot be reached.
    """
    with _scratch(address) as scratch:
        opened: list[Any] = []
        try:
            has_started = await _start(address, scratch, opened, stop or Stop())
            if address.needs_warning:
                say(f"{address.text} has no TLS: who reaches it can run programs there; see `oidl help cluster`")
            yield DaskEngine(opened[-1]) if has_started else NoWorkers()
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + _CLOSE_S):
                await run_abandonable(_close, opened, limiter=trio.CapacityLimiter(1))


async def _start(address: ClusterAddress, scratch: str, opened: list[Any], stop: Stop) -> bool:
    """Does `_open`; returns False if the run has to drain meanwhile. Raises `UsageError`."""
    error: UsageError | None = None
    given_up = threading.Event()

    async def give_up() -> None:
        await stop.draining.wait()
        given_up.set()
        while True:  # a cluster whose workers die while they start fails at once
            for child in multiprocessing.active_children():
                child.kill()
            await trio.sleep(_GIVE_UP_S)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(give_up)
        try:
            limiter = trio.CapacityLimiter(1)
            await trio.to_thread.run_sync(_open, address, scratch, opened, given_up.is_set, limiter=limiter)
        except UsageError as problem:
            error = problem
        nursery.cancel_scope.cancel()
    if error:
        raise error
    return not given_up.is_set()


def check_scheduler(address: ClusterAddress) -> None:
    """Connects to the scheduler at `address`, once. Raises `UsageError` if it cannot be reached."""
    opened: list[Any] = []
    try:
        _open(address, "", opened)
    finally:
        _close(opened)


def _open(
    address: ClusterAddress, scratch: str, opened: list[Any], is_given_up: Callable[[], bool] = lambda: False
) -> None:
    """Adds a cluster, if one is started, and the client to `opened`."""
    require_dask()
    from dask import config
    from distributed import Client, LocalCluster

    _quiet()
    try:
        target: Any = address.text
        if address.workers is None:
            _check_tls(address)
        else:
            config.set({"temporary-directory": scratch})
            # A terminal sends Ctrl-C to the workers too, which would say so. They start with the mask of this thread,
            # unless multiprocessing has to start its tracker for them.
            resource_tracker.ensure_running()
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            target = LocalCluster(
                n_workers=address.workers,
                threads_per_worker=max(1, usable_cores() // address.workers),
                processes=True,
                memory_limit=0,  # `--memory` bounds it
                dashboard_address="127.0.0.1:0",  # any free port: a taken one is a warning
                local_directory=scratch,
                silence_logs=logging.CRITICAL,
                preload=["oidl.cluster.preload"],
                **_encrypted(),
            )
            opened.append(target)
        if is_given_up():
            return
        opened.append(Client(target, set_as_default=False))
    except (OSError, TimeoutError, ValueError, RuntimeError) as error:  # the last if a worker does not start
        if is_given_up():
            return
        hint = "check that the scheduler runs there" if address.workers is None else "try fewer workers"
        raise UsageError(f"--cluster: {address.text} cannot be used: {_reason(error)}", hint=hint) from error
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _reason(error: BaseException) -> str:
    """The first line of what is behind an error of Dask."""
    while isinstance(error, RuntimeError) and error.__cause__:
        error = error.__cause__
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _check_tls(address: ClusterAddress) -> None:
    """Raises `UsageError` if Dask's configuration does not fit `address`; a client would raise, and then hang."""
    from distributed.security import Security

    has_tls = address.text.startswith(("tls://", "wss://"))
    try:
        security = Security().get_connection_args("client")
    except (OSError, TypeError, ValueError) as error:
        raise UsageError(
            f"--cluster: the certificates that Dask's configuration names cannot be used: {error}", hint=_TLS_HINT
        ) from error
    if has_tls and security["ssl_context"] is None:
        raise UsageError(
            f"--cluster: {address.text} needs certificates, and Dask's configuration names none", hint=_TLS_HINT
        )
    if security["require_encryption"] and not has_tls:
        raise UsageError(
            f"--cluster: {address.text} has no TLS, which Dask's configuration requires",
            hint="use the scheduler's address that begins with tls://",
        )


def require_dask() -> None:
    """Raises `UsageError` if Dask's package is not installed."""
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "--cluster needs the package distributed, which is not installed",
            hint=install("cluster"),
        ) from error


def worker_ttl_s() -> float:
    """How long a worker may be silent, by Dask's own configuration, in seconds."""
    import dask
    from dask.utils import parse_timedelta

    ttl = dask.config.get("distributed.scheduler.worker-ttl")
    return float(parse_timedelta(ttl)) if ttl else float("inf")


def _encrypted() -> dict[str, Any]:
    """What keeps other users of this machine out, if the package for it is installed."""
    from distributed.security import Security

    try:
        return {"security": Security.temporary()}
    except ImportError:
        return {}


def _scratch(address: ClusterAddress) -> AbstractContextManager[str]:
    """A directory for the files of workers that are started; others have their own."""
    if address.workers is None:
        return nullcontext("")
    return tempfile.TemporaryDirectory(prefix="oidl-cluster-", ignore_cleanup_errors=True)


def _close(opened: list[Any]) -> None:
    """Closes a client, and the cluster that was started. What its workers may still do does not count."""
    for each in reversed(opened):
        for nanny in list(getattr(each, "workers", {}).values()):  # a worker takes seconds to close by itself
            with suppress(Exception):
                nanny.auto_restart = False
                os.kill(nanny.pid, signal.SIGKILL)
        with suppress(Exception):
            each.close(timeout=_CLOSE_S / 2)


def _quiet() -> None:
    """Dask's own messages, and those of its event loop, would be printed over the screen."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL)
        for handler in list(logger.handlers):
            logger.removeHandler(handler)


def _set(token: trio.lowlevel.TrioToken, event: trio.Event) -> None:
    with suppress(trio.RunFinishedError):
        token.run_sync_soon(event.set)


async def _either(first: trio.Event, second: trio.Event) -> None:
    async with trio.open_nursery() as nursery:

        async def wait(event: trio.Event) -> None:
            await event.wait()
            nursery.cancel_scope.cancel()

        nursery.start_soon(wait, first)
        nursery.start_soon(wait, second)
