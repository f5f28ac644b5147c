"""Workers that answer at once, without network, image or file: what the coordinator alone can do.

The text is a module `sitecustomize`, which Python imports at the start of each process that has it on its path.
"""

SITECUSTOMIZE = """
import sys

if "oidl.node.child" in sys.orig_argv:
    from oidl.model import Done, Fetched, WrittenFile
    from oidl.net.request import DirectConnection
    from oidl.node.local import LocalWorker

    async def ask(self, request, body):
        return Fetched(request.download.source, request.url, b"x")

    async def process(self, job, fetched):
        rendition = job.missing_renditions[0].name
        path = f"v7/{job.subset}/{rendition}/{job.image_id[:3]}/{job.image_id}.jpg"
        file = WrittenFile(rendition, path, 10_000, 224, 168)
        size, md5 = job.original_size, job.original_md5
        return Done(fetched.source, fetched.url, size, md5, 640, 480, (file,), "jpeg", 3, 1, False, 0.1)

    DirectConnection.ask = ask
    LocalWorker.process = process
    LocalWorker.is_quick = lambda self, job, fetched: True
"""
