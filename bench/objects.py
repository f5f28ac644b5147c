"""An object store that is compatible with S3, on this machine, for measurements and tests of whole runs."""

import logging
import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BUCKET = "s3://bucket"


@contextmanager
def object_store() -> Iterator[None]:
    """A server with an empty bucket, which the environment of this process and its children names."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it logs every request
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": address,
        "AWS_ALLOW_HTTP": "true",
    }
    urllib.request.urlopen(urllib.request.Request(f"{address}/bucket", method="PUT")).close()
    try:
        yield
    finally:
        server.stop()


def fetch_objects(prefix: str, target: Path) -> list[str]:
    """Fetches all objects below `prefix` into `target`; returns their names. Claims are only compared with them."""
    import obstore
    from obstore.store import from_url

    store: Any = from_url(f"{BUCKET}/{prefix}")
    names = {each["path"] for page in obstore.list(store) for each in page}
    objects = sorted(name for name in names if not name.endswith(".sha256"))
    assert names == {each for name in objects for each in (name, f"{name}.sha256")}, names
    for name in objects:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(bytes(obstore.get(store, name).bytes()))
    return objects
