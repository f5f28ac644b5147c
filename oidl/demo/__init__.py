"""Open Images on the loopback: photos made on the spot, and a server that treats them as badly as life does.

`site` maps paths to answers and logs the requests, `server` speaks HTTP and
breaks it on demand, `listing` publishes a few hundred photos in the dataset's own
formats, each with a known scenario. `oidl demo`, the tests and the bench all use
this one implementation; the rest of the program never does.
"""
