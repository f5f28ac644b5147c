"""Coordinates a run: what to do next, what failed attempts mean, and the rows that record it.

    state ──► feed ──► node ──► recorder ──► state
              pages    the work  500 rows or 250 ms
              of jobs  (`oidl.node`) per commit

The feed marks the jobs that it hands out as in flight in memory only, so after a crash those rows are simply still to
do. The recorder asks the retry policy, commits in batches, and only then releases the jobs. The only writing connection
is used in its own thread (`writer`), the feed's reading connection in another.

`retry` and `target` are pure; `feed` and `record` are the stages on both sides of the node; `image_lists`, `metadata`
and `annotations` provide what a run needs besides images; `selection` holds the images that a run is about; `limits`,
`streak` and `bugs` decide when a run stops by itself; `durability` ensures that rows never outlive their files; `run`
is one whole run.
"""
