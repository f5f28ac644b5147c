"""A root with pictures and its database; and a client of the page's application in memory."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio
from builders import THUMB, image, job

from oidl.imaging.photo import photo
from oidl.model import ORIGINAL, Done, Failure, Reason, Rendition, RetryDecision, Source, Status, WrittenFile
from oidl.state.connection import StateConnection
from oidl.state.ledger import Ledger

SCRIPT = "<script>alert(1)</script>"
JPEG = photo(1, 64, 48)


@dataclass(frozen=True)
class Answered:
    """What an application answered."""

    status: int
    headers: dict[str, str]
    body: bytes


async def ask_app(app: Any, target: str, method: str = "GET", **headers: str) -> Answered:
    """One request; `target` is path and query, headers have `_` for `-`."""
    path, _, query = target.partition("?")
    named = {"host": "127.0.0.1:1"} | {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        "http_version": "1.1",
        "scheme": "http",
        "root_path": "",
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await trio.sleep_forever()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *pieces = sent
    assert start["type"] == "http.response.start"
    assert not pieces[-1].get("more_body")
    return Answered(
        start["status"],
        {name.decode(): value.decode() for name, value in start["headers"]},
        b"".join(piece["body"] for piece in pieces),
    )


@pytest.fixture
def ask() -> Callable[..., Answered]:
    """Asks an application, outside of any event loop."""

    def answer(app: Any, target: str, method: str = "GET", **headers: str) -> Answered:
        async def main() -> Answered:
            return await ask_app(app, target, method, **headers)

        return trio.run(main)

    return answer


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


def own_path(number: int, rendition: str = "thumbs", suffix: str = "jpg") -> str:
    """The path of a file of the root, as `file.path` has it."""
    image_id = image(number).image_id
    return f"2017_11/train/{rendition}/{image_id[:3]}/{image_id}.{suffix}"


@pytest.fixture
def stocked(loaded_db: StateConnection, root: Path) -> StateConnection:
    """Image 1 is done, with a thumbnail and a larger original; image 2 is gone, image 3 waits for a retry.

    Image 4 is called a script, and its files are no pictures; those of images 5 and 6 lie where they must not.
    """
    ledger = Ledger(loaded_db)
    ledger.register([THUMB, Rendition(ORIGINAL, ORIGINAL), Rendition("prints", "prints", THUMB.mode, 64, "tif")])
    ledger.open_run({})

    def put(number: int, rendition: str, path: str, body: bytes | None) -> WrittenFile:
        if body is not None:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(body)
        return WrittenFile(rendition, path, len(body or b""), 64, 48)

    script, tiff = b"<svg onload='alert(1)'>", b"II*\0" + bytes(20)
    (root / own_path(6, ORIGINAL)).mkdir(parents=True)
    (root / "mine.jpg").write_bytes(JPEG)
    files = {
        1: (put(1, ORIGINAL, own_path(1, ORIGINAL), JPEG + bytes(100_000)), put(1, "thumbs", own_path(1), JPEG)),
        4: (put(4, ORIGINAL, own_path(4, ORIGINAL), script), put(4, "prints", own_path(4, "prints", "tif"), tiff)),
        5: (
            put(5, "thumbs", "../../../../../../etc/passwd", None),
            put(5, ORIGINAL, "mine.jpg", None),
            put(5, "prints", str(root / "mine.jpg"), None),
        ),
        6: (put(6, "thumbs", own_path(1), None), put(6, ORIGINAL, own_path(6, ORIGINAL), None)),
    }
    for number, written in files.items():
        done = Done(Source.ORIGINAL, image(number).original_url, 5000, "md5", 640, 480, written, transfer_s=0.25)
        ledger.done(job(number), done)
    gone = Failure(Reason.GONE, "HTTP 410", 410, source=Source.ORIGINAL, url=image(2).original_url)
    ledger.failed(job(2), gone, RetryDecision(Status.FAILED))
    ledger.failed(job(3), Failure(Reason.TIMEOUT, SCRIPT), RetryDecision(Status.RETRY))
    loaded_db.execute(
        "UPDATE image SET title = ?, author = ?, original_landing_url = 'javascript:alert(1)' WHERE image_id = ?",
        (SCRIPT, "&lt;b&gt;Bold&lt;/b&gt;", image(4).image_id),
    )
    return loaded_db
