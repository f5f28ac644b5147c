"""What a run does about its object store: looks at it before anything is downloaded, and finishes with it.

A shard that a node has staged counts as uploaded when it has its name. If that is impossible, it stays staged: the run
is not finished, and the next one continues. What is in the staging place and no row needs is only removed: if that is
impossible, the run says so.
"""

from collections.abc import Collection

import trio

from oidl.errors import RemoteError
from oidl.pipeline.context import Context
from oidl.pipeline.run_row import RunRow
from oidl.pipeline.shards import RunShards
from oidl.pipeline.uploads import new_uploads
from oidl.state.runs import was_on_cluster
from oidl.state.shards import unsealed_shards
from oidl.state.uploads import staged_shards
from oidl.text import counted

_GIVE_UP_S = 5.0


class RunUploads:
    """The uploads of one run; `are_left` after `finish` if the next run must continue them."""

    def __init__(self, context: Context, shards: RunShards, row: RunRow) -> None:
        self.uploads = new_uploads(context)
        self.are_left = False
        self._state = context.state
        self._stop = context.stop
        self._say = context.say
        self._shards = shards
        self._row = row
        # Nodes that write for an object store alone need more of it than one machine: a rehearsal shows that it works.
        is_staged = context.settings.cluster is not None and not context.settings.shards.keep_local
        self._rehearsal = self._row.token if is_staged else ""

    async def begin(self) -> None:
        """Checks the object store, and finishes what earlier runs left in it. Raises `RemoteError`."""
        if self.uploads:
            await self.uploads.check(self._rehearsal)
            await self._adopt_staged(await self._state.run(self._row.ended_tokens))
        elif staged := await self._state.run(staged_shards, self._state.db):
            place = staged[0][1].rpartition("/")[0]
            self._say(
                f"{counted(len(staged), 'shard')} in {place} will get the final names when `--remote` is given again"
            )

    async def finish(self) -> None:
        """Uploads what is left, when all shards are sealed; stops the run if that is impossible."""
        if not self.uploads:
            return
        self.are_left = not await self._adopt_staged({self._row.token})
        if problem := await self.uploads.finish():
            self.are_left = True
            self._stop.limit_reached(problem)

    async def give_up_open(self) -> None:
        """Makes images pending whose shards are still on the disks of nodes, because the run was cut off.

        If that takes too long, the next run does it.
        """
        if not self._rehearsal:
            return
        with trio.move_on_after(_GIVE_UP_S):
            left = await self._state.run(unsealed_shards, self._state.db)
            await self._shards.fence([each.shard_id for each in left])

    async def _adopt_staged(self, ended: Collection[str]) -> bool:
        """Moves shards that nodes have staged to their names, and removes what those of `ended` runs left there.

        Returns False if some could not be moved; then the run stops.
        """
        assert self.uploads
        if not await self._state.run(was_on_cluster, self._state.db):
            return True
        try:
            if lost := await self.uploads.adopt_staged():
                await self._shards.fence(lost)
        except RemoteError as error:
            self._stop.limit_reached(f"{error.message}; {error.hint}")
            return False
        try:
            await self.uploads.sweep(ended)
        except RemoteError as error:
            self._say(f"{error.message}; {error.hint}")
        return True
