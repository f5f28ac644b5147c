"""Several machines: nodes on the workers of a Dask cluster that exists, and one coordinator with the truth.

    coordinator (`oidl run`)                              node (one per Dask worker)
    feed ─► batches ──── exchange: jobs, replies ──────►  scheduler, permits, workers
    retry policy, recorder, ◄──── answer: results, ─────  files staged, shards appended to
    names, shards, SQLite         questions, paces

1. `dask` connects to the scheduler (or starts one, with workers, on this machine), notices workers that join and
   leave, and calls functions on them. `tasks` has those functions. Nothing else knows Dask; `engine` says what the
   rest expects of it.
2. `conversation` talks to one *life* of a node: it begins it, then exchanges jobs for results, one exchange at a
   time, a few seconds each at most. `protocol` has the values. A worker that restarts, or is given up and wakes
   again, begins another life.
3. `host` is the other side: a thread of the worker with an event loop, in which the node of `oidl.node` does
   everything that it does on one machine. A Dask plugin owns it. It ends by itself if it hears nothing for a while,
   so nothing survives a coordinator that died.
4. `batches` knows which images wait, and which life has which; `dispatch` has a conversation with each node.
5. `publish` is all that only the coordinator may do: claim names, move staged files to their places, and fence what
   a lost node had. `node_shards` are its shards on a shared filesystem; `away` those on the disks of nodes, which
   complete them (`sealing`) and stage them in an object store.

Dask and networks repeat work; rows must not be. So an image belongs to one life at a time, in the coordinator's memory,
and a result counts only if it comes from the life that has the image. What a lost life still writes has names that
nothing else uses: files are staged in a directory that is removed, a shard is copied up to its last row and its old
name removed. If the coordinator dies, all of that is void, and the next run begins with what is recorded.

`packing` has the workers write the shards of `oidl pack`, which needs no nodes.
"""
