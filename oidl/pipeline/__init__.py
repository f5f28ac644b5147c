"""One run, as its coordinator sees it: what to do next, what failed attempts mean, and the rows that say so.

    state ──► feed ──► node ──► recorder ──► state
              pages    the work  500 rows or 250 ms
              of jobs  (`oidl.node`) to a commit

The feed claims what it hands out in memory only, so after a crash those rows are simply still to do. The recorder asks
the retry policy, commits in batches, and only then lets go of the claims. The one connection that writes is used in a
thread of its own (`writer`), the feed's reading connection in another.

`retry` and `target` are pure; `feed` and `record` are the stages on both sides of the node; `metadata` brings lists and
annotations; `selected` is which images a run is about; `limits`, `streak` and `bugs` say when a run stops by itself;
`durability` keeps rows from outliving their files; `run` is one whole run.
"""
