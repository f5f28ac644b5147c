"""The Trio nursery tree that brings the images in.

    state ──► feed ──► fetchers ──► validators ──► recorder ──► state
              pages     N tasks,     M tasks, a     commits 500 rows
              of work   a pace and   thread each,   or 250 ms at once,
                        a deadline   files written  then lets go of claims

The stages talk by memory channels that the stage before closes when it ends, so
a normal end and a first Ctrl-C are the same path: the feed stops, and each stage
finishes what it was given. A second Ctrl-C cancels the nursery; what was
in hand then is simply still to do. Expected failure is a value on the same
channel as success.

Three things bound the memory: the channels have (almost) no buffer, bodies are
charged to a byte budget, and what is claimed is what is in hand. Everything
that blocks runs in a thread, under a limiter of its own: the writing
connection, the feed's reading connection, and the validators.

`retry` and `verify` are pure; `process` is what happens to one body, in a
thread; `feed`, `fetchers`, `record` are the stages; `images` is the nursery that
joins them; `metadata` brings lists and annotations; `selected` is which images
a run is about; `run` is one whole run.
"""
