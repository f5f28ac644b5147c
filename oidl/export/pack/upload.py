"""Uploads a complete set: the shards, then the files next to them, and the index last."""

import hashlib
from pathlib import Path

from oidl.errors import disk_error
from oidl.export.pack.context import PackContext
from oidl.export.pack.plan import IDX, INDEX, NEXT_TO_SHARDS
from oidl.export.pack.request import Step
from oidl.state.pack import ShardSet, shards_of
from oidl.state.uploads import record_uploaded
from oidl.storage.remote import RemoteStore


def upload_set(context: PackContext, shard_set: ShardSet, remote: RemoteStore) -> None:
    """Uploads what is not in the object store yet; a reader that finds the index there finds all of it.

    Raises `RemoteError` or `DiskError`. If it is interrupted, the next pack with the same options continues.
    """
    others = []
    for shard in shards_of(context.db, shard_set.set_id):
        path = context.path_of(shard.path)
        url = remote.upload(path, path.name, shard.bytes, shard.sha256 or "")
        record_uploaded(context.db, shard.shard_id, url, keep_local=True)
        context.did(Step.UPLOADED)
        others.append(path.with_name(f"{path.name}{IDX}"))
    others += [context.dest / name for name in NEXT_TO_SHARDS if name != INDEX]
    for path in (*others, context.dest / INDEX):
        if path.is_file():
            remote.upload(path, path.name, *_size_and_digest(path))
            context.did(Step.UPLOADED)
    context.result.uploaded_to = remote.url


def _size_and_digest(path: Path) -> tuple[int, str]:
    try:
        with open(path, "rb") as file:
            return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise disk_error(path, error, "read") from error
