"""What the coordinator expects of a cluster: its workers, and functions that are called on them."""

from collections.abc import Callable
from typing import Any, Protocol

import trio

from oidl.errors import ExitCode, OidlError


class NodeLostError(Exception):
    """A worker has gone, or its node has; the message says how, like "has left the cluster".

    One that `is_silent` may only be asleep: none of its images is to blame.
    """

    def __init__(self, message: str, *, is_silent: bool = False) -> None:
        super().__init__(message)
        self.is_silent = is_silent


class RefusedError(Exception):
    """A worker cannot take part; the message says why."""


class ClusterError(OidlError):
    """The cluster cannot be used, or has gone."""

    exit_code = ExitCode.UNFINISHED


class Engine(Protocol):
    """A cluster. Workers have addresses; one that restarts may have the same."""

    async def addresses(self) -> frozenset[str]:
        """The workers that are there now. Raises `ClusterError`."""
        ...

    async def call(self, address: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """The result of `function` on a worker, or the exception that it raised there.

        Raises `NodeLostError` if the worker has gone or goes meanwhile. If this is cancelled, the function may still
        run, and its result is dropped.
        """
        ...


async def answer_of(
    engine: Engine, silence_s: float, address: str, function: Callable[..., Any], *arguments: Any
) -> Any:
    """The result of `function`, which is None if the worker has forgotten what it is about.

    Raises `NodeLostError` then, and after `silence_s` seconds without an answer; otherwise as `Engine.call`.
    """
    with trio.move_on_after(silence_s):
        answer = await engine.call(address, function, *arguments)
        if answer is None:
            raise NodeLostError("has been started again")
        return answer
    raise NodeLostError("does not answer any more", is_silent=True)


class NoWorkers:
    """An `Engine` without workers."""

    async def addresses(self) -> frozenset[str]:
        """As in `Engine`."""
        return frozenset()

    async def call(self, address: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """As in `Engine`."""
        raise NodeLostError("is not there")
