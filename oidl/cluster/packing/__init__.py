"""`oidl pack --cluster`: shards that the workers of a Dask cluster write, on a filesystem that all machines share.

    coordinator (`oidl pack`)                             worker of Dask
    plan, rows of a shard  ──── `ShardOrder` ──────────►  reads the images, writes the shard
    name, row, credits     ◄─── `ShardReport` ──────────  size, SHA-256, places, what is missing

1. `order` has the values. What is large, the rows of a shard and what is said about it in the end, is in files next
   to the shards; the message has their lengths and SHA-256.
2. `job` is the worker's side: a thread that writes one shard, as `export.pack` does it on one machine. It ends by
   itself if it hears nothing for a while, so nothing survives a coordinator that died. `tasks` has what Dask calls.
3. `queue` knows which shards wait, and how many workers each of them has cost. `dispatch` keeps every worker busy with
   one shard at a time.
4. `publish` is all that only the coordinator may do: it reads the database, makes the directory in which a worker may
   write, gives a shard its name and its row, and removes the directory.

A worker writes into a directory of one *life* only: one try to write one shard. A life that is lost loses its
directory, which is renamed before it is emptied: a worker that was asleep and wakes up finds no place to write to, and
no shard that is published is ever open anywhere.
"""
