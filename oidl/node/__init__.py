"""One machine's work: from a job that the feed hands out to an outcome that the recorder writes down.

    feed ──► scheduler ──► fetch ──► validate ──► recorder
             a queue a     N tasks    M tasks, a
             host          permits,   thread each:
                           deadline   verify, render,
               ▲                      store
               └── the next source ◄──┴── an image that failed at this one

The way of one image, and the file of each step:

1. `node` opens one nursery with the stages below between a feed and a recorder, which it is given.
2. `scheduler` takes jobs from the feed, makes an `Attempt` of each (`attempt`; where to fetch it is in `sources`), and
   queues it at its host. A fetcher gets the next attempt whose host may be asked.
3. `fetch` takes the original from disk if there is one that can be trusted (`originals`), otherwise it downloads the
   body within its share of the memory budget.
4. `validate` has a thread do the rest: `process` verifies the bytes (`integrity`), renders and stores them.
5. `conclude` decides what the result of an attempt means for its job: it fails over to the next source, or its outcome
   goes to the recorder.

Stages talk through channels with (almost) no buffer, which the stage before closes when it ends. So a normal end and a
first Ctrl-C are the same path: the feed stops, and each stage finishes what it was given. A second
Ctrl-C cancels the nursery; what was in progress then is simply still to do. An expected failure is a value on the same
channel as a success. A bug in oidl costs the image that met it, never the run (`containment`).
"""
