"""The work of one machine: from a job that the feed hands out to an outcome that the recorder stores.

    feed ──► scheduler ──► fetch ──► validate ──► recorder
             a queue per   N tasks    M tasks, a
             host          permits,   thread each:
                           deadline   verify, render,
               ▲                      store
               └── the next source ◄──┴── an image that failed at this one

The path of one image, and the file of each step:

1. `node` opens one nursery with the stages below, between the feed and the recorder of its caller.
2. `scheduler` takes jobs from the feed, turns each into an `Attempt` (`attempt`; `sources` knows the URLs), and
   queues it at its host. A fetcher gets the next attempt whose host may be asked.
3. `fetch` lets a worker read the original from disk if there is one that can be trusted (`originals`), otherwise it
   lets one make the requests for the body, within the memory budget.
4. `validate` lets the worker that has the body do the rest: `process` verifies the bytes (`integrity`), renders and
   stores them, in a thread.
5. `conclude` decides what the result of an attempt means for its job: the next source is tried, or the outcome
   goes to the recorder.

The workers (`worker`) hold the connections and the bodies, decode and write. A node has one in its own process
(`local`) or several in processes of their own (`pool`, `remote` and, on the other side of the socket, `child`); the
stages are the same.

Stages communicate through channels with (almost) no buffer; each stage closes its output when it ends. So a normal end
and a first Ctrl-C take the same path: the feed stops, and each stage finishes its work. A second Ctrl-C cancels the
nursery; unfinished images are simply still to do. An expected failure is a value on the same channel as a success. A
bug in oidl costs the image that met it, never the run (`containment`).
"""
