"""The web page: a run, or a database at rest, in a browser.

It reads and changes nothing, and whatever happens to it or its clients is no
matter to the run: what they ask of the database and the disk is done in a few
threads of its own, what they do not take is not kept for them, and whoever
blocks is cut off. starlette and hypercorn are in the extra `web`.
"""
