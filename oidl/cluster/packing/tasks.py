"""What the coordinator of a pack calls on workers. Each function runs there, in a thread of the worker."""

import threading
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from oidl.cluster.packing.job import ShardJob
from oidl.cluster.packing.order import PackFacts, ShardOrder, ShardReport
from oidl.cluster.versions import versions
from oidl.errors import OidlError
from oidl.export.pack.formats import FORMATS

_LIBRARIES = {"parquet": "pyarrow"}  # whose version decides the bytes of a format

_jobs: dict[str, ShardJob] = {}
_lock = threading.Lock()


def look(paths: Mapping[str, str], form: str) -> PackFacts:
    """What this worker has for a pack of a format; all of `paths`, by what is seen if they are, should be there."""
    unseen = (name for name, path in paths.items() if not Path(path).exists())
    try:
        FORMATS[form].require()
    except OidlError as error:
        return PackFacts({}, problem=error.message)
    return PackFacts(pack_versions(form), next(unseen, ""))


def begin(order: ShardOrder) -> ShardReport | None:
    """Begins a life of this worker; as `report`."""
    with _lock:
        for life in [life for life, job in _jobs.items() if job.is_forgotten]:
            del _jobs[life]
        if order.life not in _jobs:  # Dask may call a function twice
            _jobs[order.life] = ShardJob(order)
            _jobs[order.life].start()
    return report(order.life)


def report(life: str) -> ShardReport | None:
    """How far a life of this worker is; None if it has no life of this name."""
    job = _jobs.get(life)
    return job.report() if job else None


def pack_versions(form: str) -> dict[str, str]:
    """The versions of what decides the bytes of a shard, by name."""
    library = _LIBRARIES.get(form)
    return versions() | ({library: version(library)} if library else {})
