"""What all conversations of a run share, and what is known about each."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio

from oidl.cluster.batches import Batches
from oidl.cluster.engine import Engine, NodeLostError, RefusedError
from oidl.cluster.health import Health
from oidl.cluster.protocol import Answer, Facts, Timing
from oidl.cluster.publish import Truth
from oidl.node.attempt import Outcome
from oidl.node.machine import NodeSettings
from oidl.node.stop import Stop


@dataclass
class NodeState:
    """What is known about a life: its worker's address, and how it does.

    `lost` says how it ended, None while it lives. Times are those of the Trio clock.
    """

    life: str
    address: str
    since: float
    threads: int = 0
    images: int = 0
    images_per_s: float = 0.0
    answer: Answer = field(default_factory=Answer)
    lost: str | None = None

    @property
    def name(self) -> str:
        """For messages: its address without the protocol."""
        return self.address.rpartition("://")[2]

    @property
    def host(self) -> str:
        """The address of its machine, which servers see too, unless there is a gateway between."""
        return self.name.rpartition(":")[0]


class SharedBatches:
    """The batches of a run, with an event for those that wait for a change; `nodes` is how many take from them."""

    def __init__(self) -> None:
        self.batches = Batches()
        self.nodes = 0
        self.has_feed_ended = False
        self._changed = trio.Event()

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to do, and never will be."""
        return self.has_feed_ended and self.batches.is_empty

    def notify(self) -> None:
        """Something has changed."""
        self._changed.set()
        self._changed = trio.Event()

    async def wait_changed(self) -> None:
        """Returns when something has changed."""
        await self._changed.wait()

    async def unless_over(self, stop: Stop, work: Callable[[], Awaitable[None]]) -> bool:
        """Does `work`, which is cancelled when there is nothing to do any more; returns whether it finished."""
        has_finished = False
        error: Exception | None = None

        async def do() -> None:
            nonlocal has_finished, error
            try:
                await work()
                has_finished = True
            except (NodeLostError, RefusedError) as problem:
                error = problem
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(do)
            while not (self.is_over or stop.draining.is_set()):
                await self.wait_changed()
            nursery.cancel_scope.cancel()
        if error:
            raise error
        return has_finished


@dataclass(frozen=True)
class Coordination:
    """What all conversations of a run share.

    `outcomes` is where results go; `settings_of` has the settings of a new node on a host; `heard` is called with every
    answer; `check` says why a worker cannot take part, None if it can; `probe` is a file that it must see, unless nodes
    are `is_away`: they write to their own disks then.
    """

    engine: Engine
    batches: SharedBatches
    truth: Truth
    outcomes: trio.MemorySendChannel[Outcome]
    stop: Stop
    say: Callable[[str], None]
    settings_of: Callable[[str, Facts], NodeSettings]
    heard: Callable[[NodeState], None]
    check: Callable[[Facts], str | None]
    run: str
    probe: str
    timing: Timing
    is_away: bool = False
    health: Health = field(default_factory=Health)
