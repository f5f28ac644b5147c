"""The web page: a run, or a database at rest, in a browser.

It reads and changes nothing, and its clients do not slow a run: the page of a
run is served by a process of its own. What clients ask of the database and the
disk is done in a few threads there, what they do not take is not kept for them,
and a client that blocks is cut off. starlette and h11 are in the extra `web`.
"""
