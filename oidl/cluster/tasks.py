"""What the coordinator calls on workers. Each function runs there, in a thread of the worker."""

import pickle
from pathlib import Path
from typing import Any

from oidl.cluster.protocol import Answer, Exchange, Facts, Timing
from oidl.errors import OidlError
from oidl.node.frames import pickled
from oidl.storage.remote import RemoteStore


def look(probe: str) -> Facts:
    """What this worker has; `probe` is a file of the coordinator."""
    from oidl.cluster.plugin import worker_threads
    from oidl.cluster.versions import versions

    return Facts(versions(), Path(probe).is_file(), worker_threads())


def begin(run: str, life: str, data: bytes, is_away: bool) -> None:
    """Begins a life of the node of this worker; an earlier one ends.

    `data` are its settings and its timing, pickled: Dask's scheduler, which may have another version of oidl, would
    unpickle what is given as it is. A node that `is_away` writes to the disk of its worker. Raises `OidlError` if it
    cannot use the object store.
    """
    from oidl.cluster.host import NodeHost
    from oidl.cluster.plugin import put_host, worker_directory

    settings: Any
    timing: Timing
    settings, timing = pickle.loads(data)
    scratch = None
    if is_away:
        RemoteStore(settings.workers.shards.remote or "").check(f"{settings.workers.token}-{life}")
        scratch = worker_directory() / f"oidl-{life}"
    put_host(run, NodeHost(life, settings, timing, scratch))


def exchange(run: str, life: str, data: bytes) -> bytes | None:
    """Exchanges with the node of this worker, both ways pickled; None if it has no node of this name."""
    from oidl.cluster.plugin import find_host, remove_host

    host: Any = find_host(run)
    if host is None or host.life != life:
        return None
    exchange: Exchange = pickle.loads(data)
    answer: Answer = host.exchange(exchange)
    if answer.has_ended:
        remove_host(run)
    return pickled(answer)


def explained(error: Exception) -> str:
    """What a worker raised, for the user."""
    if isinstance(error, ModuleNotFoundError):
        return f"it cannot import {error.name}; install the same oidl[cluster] there"
    return error.message if isinstance(error, OidlError) else f"{type(error).__name__}: {error}"
