"""An archive in transfer: its reader reaches the end only if its bytes are the published ones.

A function plays the network and delivers what a test chooses; `net` tests how real
transfers break and resume.
"""

import hashlib
import io
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from oidl.dataset import archive as archive_module
from oidl.dataset.archive import FetchedArchive, VerifiedStream, discard_part, fetch_archive, part_of
from oidl.dataset.lists import read_list
from oidl.dataset.published import PublishedFile
from oidl.dataset.rows import ReadReport
from oidl.dataset.unpack import unpack
from oidl.errors import DiskError, ExitCode, MetadataError
from oidl.net.client import tls_context
from oidl.net.resume import ContentChangedError
from oidl.settings import NetworkSettings

TLS = tls_context()
BODY = bytes(range(256)) * 10_000

Deliver = Callable[[bytes], Awaitable[None]]


async def unheeded(count: int) -> None:
    pass


def published(body: bytes = BODY) -> PublishedFile:
    return PublishedFile("a.tar.gz", "http://127.0.0.1/a.tar.gz", len(body), hashlib.md5(body).hexdigest())


class Network:
    """What stands in for `net.resume.download`: brings the next of `bodies`, the last one for ever.

    An exception is raised after half of `BODY` was delivered; after None, half
    of `BODY` comes and then nothing more, ever.
    """

    def __init__(self) -> None:
        self.bodies: list[bytes | Exception | None] = [BODY]
        self.calls = 0

    async def download(self, url: str, part: Path, deliver: Deliver, **rest: Any) -> int:
        body = self.bodies[min(self.calls, len(self.bodies) - 1)]
        self.calls += 1
        content = body if isinstance(body, bytes) else BODY[: len(BODY) // 2]
        await trio.Path(part).write_bytes(content)
        await trio.Path(part.with_name(f"{part.name}.json")).touch()
        for start in range(0, len(content), 100_000):
            await deliver(content[start : start + 100_000])
        if isinstance(body, Exception):
            raise body
        if body is None:
            await trio.sleep_forever()
        return len(content)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    network = Network()
    monkeypatch.setattr(archive_module, "download", network.download)
    return network


async def fetch(
    root: Path,
    consume: Callable[[VerifiedStream], Any] = VerifiedStream.readall,
    archive: PublishedFile | None = None,
    *,
    keep: bool = False,
) -> FetchedArchive[Any]:
    return await fetch_archive(
        archive or published(),
        root,
        transfers=NetworkSettings(),
        tls=TLS,
        keep=root / (archive or published()).name if keep else None,
        consume=consume,
        on_bytes=unheeded,
    )


def fetched(*args: Any, **options: Any) -> FetchedArchive[Any]:
    return trio.run(lambda: fetch(*args, **options))


def names_in(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


def test_the_consumer_gets_the_bytes_and_nothing_is_left(network: Network, tmp_path: Path) -> None:
    outcome = fetched(tmp_path / "new" / "root")
    assert outcome == FetchedArchive(BODY, len(BODY), hashlib.md5(BODY).hexdigest(), "md5")
    assert names_in(tmp_path / "new" / "root") == []


def test_a_kept_archive_stands_under_its_name_and_is_read_from_there_the_next_time(
    network: Network, tmp_path: Path
) -> None:
    fetched(tmp_path, keep=True)
    assert names_in(tmp_path) == ["a.tar.gz"]
    assert fetched(tmp_path).value == BODY
    assert network.calls == 1
    assert names_in(tmp_path) == ["a.tar.gz"]


@pytest.mark.parametrize("content", [b"", BODY[:-1], BODY[:-1] + b"x"])
def test_a_kept_archive_that_is_not_the_published_one_is_fetched_again(
    network: Network, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "a.tar.gz").write_bytes(content)
    assert fetched(tmp_path, keep=True).value == BODY
    assert network.calls == 1
    assert (tmp_path / "a.tar.gz").read_bytes() == BODY


def test_a_kept_archive_that_nobody_can_vouch_for_is_fetched_again(network: Network, tmp_path: Path) -> None:
    unknown = PublishedFile("a.tar.gz", "http://127.0.0.1/a.tar.gz", None, None)
    (tmp_path / "a.tar.gz").write_bytes(BODY)
    assert fetched(tmp_path, archive=unknown).value == BODY
    assert network.calls == 1


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("body", [BODY[:-1] + b"x", BODY[:-1], BODY + b"x"], ids=["changed", "shorter", "longer"])
def test_other_bytes_than_the_published_ones_never_end(
    network: Network, tmp_path: Path, body: bytes, keep: bool
) -> None:
    committed: list[bytes] = []
    network.bodies = [body]
    with pytest.raises(MetadataError) as refused:
        fetched(tmp_path, lambda stream: committed.append(stream.readall()), keep=keep)
    assert committed == []
    for words in (
        f"expected {len(BODY)} bytes and MD5 {published().md5}",
        f"got {len(body)} bytes and MD5 {hashlib.md5(body).hexdigest()}",
    ):
        assert words in refused.value.message
    assert refused.value.exit_code is ExitCode.METADATA
    assert names_in(tmp_path) == []


def test_a_consumer_that_does_not_read_to_the_end_does_not_get_away_with_it(network: Network, tmp_path: Path) -> None:
    network.bodies = [BODY + b"x"]
    with pytest.raises(MetadataError, match="expected"):
        fetched(tmp_path, lambda stream: stream.read(10))


def test_wrong_bytes_are_called_that_even_if_the_consumer_stumbles_first(network: Network, tmp_path: Path) -> None:
    def stumble(stream: VerifiedStream) -> None:
        raise MetadataError("this is no tar")

    network.bodies = [BODY + b"x"]
    with pytest.raises(MetadataError, match="expected"):
        fetched(tmp_path, stumble)
    network.bodies = [BODY]
    with pytest.raises(MetadataError, match="this is no tar"):
        fetched(tmp_path, stumble)
    assert names_in(tmp_path) == []


def test_what_is_not_known_of_an_archive_is_not_asked_of_it(network: Network, tmp_path: Path) -> None:
    outcome = fetched(tmp_path, archive=PublishedFile("a.tar.gz", "http://127.0.0.1/a.tar.gz", None, None))
    assert (outcome.bytes, outcome.md5) == (len(BODY), hashlib.md5(BODY).hexdigest())


def test_a_network_that_gives_up_is_the_error_and_the_part_stays(network: Network, tmp_path: Path) -> None:
    network.bodies = [MetadataError("no route to host")]
    with pytest.raises(MetadataError, match="no route to host"):
        fetched(tmp_path)
    assert names_in(tmp_path) == ["a.tar.gz.part", "a.tar.gz.part.json"]


def test_a_consumer_that_fails_for_its_own_reasons_costs_no_bytes(network: Network, tmp_path: Path) -> None:
    def fail(stream: VerifiedStream) -> None:
        stream.read(10)
        raise DiskError("the disk is full")

    with pytest.raises(DiskError, match="the disk is full"):
        fetched(tmp_path, fail)
    assert "a.tar.gz.part" in names_in(tmp_path)
    discard_part(published(), tmp_path)
    assert names_in(tmp_path) == []


def test_a_file_that_changes_on_the_server_is_consumed_from_the_start(network: Network, tmp_path: Path) -> None:
    starts: list[bytes] = []

    def consume(stream: VerifiedStream) -> bytes:
        starts.append(stream.read(10))
        return starts[-1] + stream.readall()

    network.bodies = [ContentChangedError(), BODY]
    assert fetched(tmp_path, consume).value == BODY
    assert starts == [BODY[:10]] * 2


def test_a_file_that_never_stops_changing_is_given_up(network: Network, tmp_path: Path) -> None:
    network.bodies = [ContentChangedError()]
    with pytest.raises(MetadataError, match="changed again and again"):
        fetched(tmp_path)


def test_cancelling_reaches_the_consumer_which_can_undo_what_it_did(network: Network, tmp_path: Path) -> None:
    network.bodies = [None]
    undone: list[str] = []

    def consume(stream: VerifiedStream) -> None:
        try:
            stream.readall()
        except BaseException as error:
            undone.append(type(error).__name__)
            raise

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fetch, tmp_path, consume)
            await trio.testing.wait_all_tasks_blocked(0.05)
            nursery.cancel_scope.cancel()

    before = threading.active_count()
    trio.run(main)
    assert undone == ["Cancelled"]
    assert part_of(published(), tmp_path).exists()
    assert threading.active_count() <= before + 1  # trio keeps an idle worker for a while


def test_a_list_is_in_the_database_only_if_it_was_the_published_one(
    network: Network, tmp_path: Path, published_list: str, subsets: frozenset[str], tar_gz: Callable[..., bytes]
) -> None:
    body = tar_gz({"2017_11/train/images.csv": published_list})
    # Valid as a gzip, a tar and a list, but not what was published: only the MD5 tells.
    forged = tar_gz({"2017_11/train/images.csv": published_list.replace("Plain", "Plane")})

    def load(stream: VerifiedStream) -> int:
        with sqlite3.connect(tmp_path / "db") as db:
            db.execute("CREATE TABLE IF NOT EXISTS image (image_id)")
            images = read_list(stream, "list", subsets, subsets, ReadReport())
            db.executemany("INSERT INTO image VALUES (?)", ((image.image_id,) for image in images))
        db.close()
        return count()

    def count() -> int:
        db = sqlite3.connect(tmp_path / "db")
        (images,) = db.execute("SELECT count(*) FROM image").fetchone()
        db.close()
        return images

    network.bodies = [forged, body]
    with pytest.raises(MetadataError, match="expected"):
        fetched(tmp_path, load, published(body))
    assert count() == 0
    assert fetched(tmp_path, load, published(body)).value == 10


def test_an_archive_is_unpacked_as_it_arrives(network: Network, tmp_path: Path, tar_gz: Callable[..., bytes]) -> None:
    body = tar_gz({"2017_11/classes.txt": "/m/01\n"})
    network.bodies = [body]
    outcome = fetched(tmp_path, lambda stream: unpack(stream, tmp_path / ".s", tmp_path), published(body))
    assert outcome.value == (tmp_path / "2017_11/classes.txt",)
    assert names_in(tmp_path) == ["2017_11"]


def test_a_stream_can_be_read_in_any_pieces() -> None:
    source = io.BytesIO(BODY)
    stream = VerifiedStream(published(), lambda: source.read(1000))
    assert b"".join(iter(lambda: stream.read(777), b"")) == BODY
    assert (stream.size_bytes, stream.md5) == (len(BODY), published().md5)
    assert stream.read(1) == b""
