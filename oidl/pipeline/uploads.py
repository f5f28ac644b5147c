"""Sealed shards go to an object store while the run continues; a row says so only when the object is there."""

from collections.abc import Callable, Collection
from functools import partial
from pathlib import PurePath

import trio

from oidl.errors import RemoteError
from oidl.node.threads import run_abandonable
from oidl.pipeline.context import Context
from oidl.pipeline.writer import StateWriter
from oidl.settings import Layout
from oidl.state.uploads import (
    SealedShard,
    record_unstaged,
    record_uploaded,
    remote_shards,
    shards_to_upload,
    staged_shards,
)
from oidl.storage.atomic import PART_DIRECTORY
from oidl.storage.remote import RemoteStore
from oidl.storage.shards.files import remove_shard
from oidl.text import counted

_EVERY_S = 2.0
_AGAIN_S = 30.0
_TRIES = 3  # of each shard at the end of a run


class Uploads:
    """Uploads the sealed shards of runs to `remote`; unless `keep_local`, their local files are removed after that.

    `say` reports problems to the user.
    """

    def __init__(
        self, state: StateWriter, layout: Layout, remote: RemoteStore, say: Callable[[str], None], *, keep_local: bool
    ) -> None:
        self._state = state
        self._layout = layout
        self._remote = remote
        self._say = say
        self._keep_local = keep_local
        self._uploading = trio.CapacityLimiter(1)
        self._one_at_a_time = trio.Lock()
        self._has_removed = False

    async def check(self, rehearsal: str = "") -> None:
        """Raises `RemoteError` if the object store cannot be used; it is called before anything is downloaded.

        With the name of a `rehearsal`, everything that shards of nodes need is tried with a small object.
        """
        check = partial(self._remote.check, rehearsal, copies=bool(rehearsal))
        await run_abandonable(check, limiter=self._uploading)

    async def adopt_staged(self) -> list[int]:
        """Moves the shards that nodes have staged to their names; returns the numbers of those that are lost.

        Raises `RemoteError`; what is left then is done by the next call, perhaps of another run.
        """
        lost = []
        async with self._one_at_a_time:
            for shard, staged_url in await self._state.run(staged_shards, self._state.db):
                name = staged_url.rpartition(f"/{PART_DIRECTORY}/")[2]
                adopt = partial(self._remote.adopt, name, _key(shard.path), shard.bytes, shard.sha256)
                if url := await run_abandonable(adopt, limiter=self._uploading):
                    await self._state.run(record_uploaded, self._state.db, shard.shard_id, url)
                else:
                    lost.append(shard.shard_id)
            await self._state.run(record_unstaged, self._state.db, lost)
        return lost

    async def sweep(self, tokens: Collection[str]) -> None:
        """Removes what nodes of the runs with `tokens` have staged, and no row needs. Raises `RemoteError`."""
        if not await self._state.run(staged_shards, self._state.db):
            await run_abandonable(self._remote.sweep, tokens.__contains__, limiter=self._uploading)

    async def run(self) -> None:
        """Uploads shards as they are sealed, until cancelled; after an error it waits for a while."""
        while True:
            await trio.sleep(_EVERY_S)
            try:
                await self._upload_all()
            except RemoteError as error:
                self._say(f"{error.message}; it is tried again")
                await trio.sleep(_AGAIN_S)

    async def finish(self) -> str:
        """Uploads what is left; returns a message about what could not be uploaded, empty if there is nothing."""
        problem: RemoteError | None = None
        for number in range(_TRIES):
            try:
                await self._upload_all(tell=True)
            except RemoteError as error:
                problem = error
                if number + 1 < _TRIES:
                    await trio.sleep(_EVERY_S * 2**number)
            else:
                return ""
        left = len(await self._state.run(shards_to_upload, self._state.db))
        assert problem
        return f"{counted(left, 'shard')} not uploaded: {problem.message}; {problem.hint}"

    async def _upload_all(self, *, tell: bool = False) -> None:
        async with self._one_at_a_time:
            shards = await self._state.run(shards_to_upload, self._state.db)
            if tell and shards:
                self._say(f"uploading {counted(len(shards), 'shard')}")
            for shard in shards:
                await self._upload(shard)
            # What a killed run left behind; later ones are removed one by one. Copied back, they stay.
            if not self._keep_local and not self._has_removed:
                for left in await self._state.run(remote_shards, self._state.db):
                    remove_shard(self._layout.root_dir / left.path)
                self._has_removed = True

    async def _upload(self, shard: SealedShard) -> None:
        path = self._layout.root_dir / shard.path
        url = await run_abandonable(
            self._remote.upload, path, _key(shard.path), shard.bytes, shard.sha256, limiter=self._uploading
        )
        await self._state.run(self._record, shard.shard_id, url)
        if not self._keep_local:
            remove_shard(path)

    def _record(self, shard_id: int, url: str) -> None:
        record_uploaded(self._state.db, shard_id, url, keep_local=self._keep_local)


def new_uploads(context: Context) -> Uploads | None:
    """The uploads of a run, if it has a place in an object store. Raises `UsageError` if that cannot be used."""
    shards = context.settings.shards
    if shards.remote is None:
        return None
    remote = RemoteStore(shards.remote)
    return Uploads(context.state, context.settings.layout, remote, context.say, keep_local=shards.keep_local)


def _key(path: str) -> str:
    """The name of a shard below the prefix: its path in the root; if it is outside of it, its last three parts."""
    parts = PurePath(path).parts
    return "/".join(parts[-3:] if PurePath(path).is_absolute() else parts)
