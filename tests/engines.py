"""Made-up workers of a cluster, by address: they can be reached, are silent, or are lost."""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import trio

from oidl.cluster.engine import NodeLostError


class CanFreeze(Protocol):
    is_frozen: bool


W = TypeVar("W", bound=CanFreeze)


@dataclass
class FakeWorkers(Generic[W]):
    """What the `Engine`s of made-up clusters have in common; `restarts` is whether a lost worker is back at once."""

    workers: dict[str, W]
    restarts: bool = True

    async def addresses(self) -> frozenset[str]:
        return frozenset(self.workers)

    async def reached(self, address: str) -> W:
        """The worker at `address`, after it has woken if it is frozen. Raises `NodeLostError` if there is none."""
        worker = self.workers.get(address)
        if worker is None:
            raise NodeLostError("has left the cluster")
        await trio.lowlevel.checkpoint()
        while worker.is_frozen:  # noqa: ASYNC110
            await trio.sleep(0.5)
        return worker

    def lost(self, address: str) -> None:
        """The worker at `address` has died."""
        if not self.restarts:
            del self.workers[address]
