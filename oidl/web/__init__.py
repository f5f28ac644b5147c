"""The web page: a run, or a database at rest, in a browser.

The page reads and changes nothing, and its clients do not slow a run: a run
serves its page from a process of its own. A few threads there answer what
clients ask of the database and the disk; what a client does not take is not
kept for it, and a client that blocks is disconnected. starlette comes with the
extra `web`.
"""
