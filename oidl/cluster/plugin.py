"""The Dask plugin that owns the node of a worker: when the worker closes, the node ends."""

import asyncio
from pathlib import Path
from typing import Any

from distributed import WorkerPlugin, get_worker
from distributed.utils import sync

from oidl.cluster.host import NodeHost


class NodePlugin(WorkerPlugin):  # type: ignore[misc]
    """Starts a node with its worker, and ends it."""

    def __init__(self, host: NodeHost) -> None:
        self.host = host

    def setup(self, worker: Any) -> None:
        """As in `WorkerPlugin`."""
        self.host.start()

    async def teardown(self, worker: Any) -> None:
        """As in `WorkerPlugin`."""
        await asyncio.to_thread(self.host.close)


def put_host(run: str, host: NodeHost) -> None:
    """Gives this worker the node of a run; the one that it had ends first, and those that have ended are forgotten."""
    worker = get_worker()
    for name, plugin in list(worker.plugins.items()):
        if isinstance(plugin, NodePlugin) and plugin.host.has_ended:
            worker.plugins.pop(name, None)
    sync(worker.loop, worker.plugin_add, plugin=NodePlugin(host), name=_name(run), catch_errors=False)


def find_host(run: str) -> NodeHost | None:
    """The node that this worker has for a run."""
    plugin = get_worker().plugins.get(_name(run))
    return plugin.host if isinstance(plugin, NodePlugin) else None


def remove_host(run: str) -> None:
    """Ends the node of a run."""
    worker = get_worker()
    sync(worker.loop, worker.plugin_remove, name=_name(run))


def worker_directory() -> Path:
    """A directory of this worker on its disk, which Dask removes with it."""
    return Path(get_worker().local_directory)


def worker_threads() -> int:
    """How many threads this worker has been given."""
    threads: int = get_worker().state.nthreads
    return threads


def _name(run: str) -> str:
    return f"oidl-{run}"
