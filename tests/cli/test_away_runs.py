"""Whole runs whose nodes share no filesystem, on an object store that refuses, and with nodes that go.

The nodes are threads of this process, each with a directory of its own; everything between them is pickled.
"""

import io
import pickle
import re
import tarfile
import threading
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import distributed  # noqa: F401  # it has defaults for Dask's configuration
import obstore
import pytest
import trio
from moto.server import DomainDispatcherApplication, create_backend_app
from obstore.store import from_url
from werkzeug.serving import WSGIRequestHandler, make_server

from oidl.cli.displays import DisplayOptions
from oidl.cli.options.run import RunOptions
from oidl.cli.session import RunSession
from oidl.cluster import tasks
from oidl.cluster.engine import NodeLostError
from oidl.cluster.host import NodeHost
from oidl.cluster.machines import new_dispatcher
from oidl.cluster.protocol import Exchange, Facts
from oidl.cluster.roster import Roster
from oidl.cluster.versions import versions
from oidl.dataset.catalogue import find_version, read_catalogue
from oidl.errors import ExitCode, RemoteError
from oidl.model import StoreKind
from oidl.node.frames import pickled
from oidl.node.stop import Stop
from oidl.pipeline.ending import RunEnd
from oidl.pipeline.feed import InFlight
from oidl.pipeline.machines import ImageWork, Machine, this_machine
from oidl.pipeline.run import Run
from oidl.progress.console import open_console
from oidl.settings import Display
from oidl.state.database import open_writer

BUCKET = "s3://bucket"


@dataclass
class Store:
    """An object store in which requests fail that `refuses` says: by method (also COPY, CREATE) and path."""

    refuses: Callable[[str, str], bool] = lambda method, path: False

    def __post_init__(self) -> None:
        self._store = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if "HTTP_X_AMZ_COPY_SOURCE" in environ:
            method = "COPY"
        elif environ.get("HTTP_IF_NONE_MATCH") == "*":
            method = "CREATE"
        elif "delete" in environ["QUERY_STRING"]:
            method = "DELETE"
        if self.refuses(method, path):
            start_response("403 Forbidden", [("Content-Length", "0")])
            return [b""]
        return self._store(environ, start_response)

    def objects(self) -> dict[str, bytes]:
        store: Any = from_url(BUCKET)
        names = [each["path"] for page in obstore.list(store) for each in page]
        return {name: bytes(obstore.get(store, name).bytes()) for name in names}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty bucket, and the keys for it in the environment."""
    store = Store()
    server = make_server("127.0.0.1", 0, store, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": address, "AWS_ALLOW_HTTP": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    for method, path in (("POST", "moto-api/reset"), ("PUT", "bucket")):
        urllib.request.urlopen(urllib.request.Request(f"{address}/{path}", method=method)).close()
    yield store
    server.shutdown()
    thread.join()
    server.server_close()


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Prints nothing."""


@dataclass
class Threads:
    """The `Engine` of workers in this process, by address. At an exchange, `lose` says whether its node goes."""

    home: Path
    workers: tuple[str, ...] = ("tcp://127.0.0.1:1", "tcp://127.0.0.1:2")
    lose: Callable[["Threads", Exchange], bool] = lambda engine, exchange: False
    stop: Stop = field(default_factory=Stop)  # that of the run
    begun: int = 0
    hosts: dict[str, NodeHost] = field(default_factory=dict)

    async def addresses(self) -> frozenset[str]:
        return frozenset(self.workers)

    async def call(self, address: str, function: Callable[..., Any], *arguments: Any) -> Any:
        if function is tasks.look:
            return Facts(versions(), False, 1)
        if function is tasks.begin:
            _, life, data, is_away = arguments
            settings, timing = pickle.loads(data)
            assert is_away
            self.begun += 1
            self.hosts[address] = NodeHost(life, settings, timing, self.home / life)
            self.hosts[address].start()
            return None
        exchange = pickle.loads(arguments[2])
        if self.lose(self, exchange):
            await trio.to_thread.run_sync(self.hosts.pop(address).close)
            raise NodeLostError("has left the cluster")
        answer = await trio.to_thread.run_sync(self.hosts[address].exchange, exchange, abandon_on_cancel=True)
        return pickled(answer)

    def close(self) -> None:
        for host in self.hosts.values():
            host.close()


@dataclass
class Ended:
    end: RunEnd
    said: str
    statuses: dict[str, int]


@pytest.fixture
def away(
    fine: Any, store: Store, root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """Runs into shards of three images in the object store, with options by name."""

    def start(lose: Callable[[Threads, Exchange], bool] = Threads.lose, **options: Any) -> Ended:
        version = find_version(read_catalogue(fine.catalogue), None)
        root.mkdir(exist_ok=True)
        engine = Threads(tmp_path / "nodes", lose=lose)
        defaults = {
            "root_dir": root, "catalogue": fine.catalogue, "download_metadata": False, "resize_box_size": 64,
            "min_free": 0, "shard_samples": 3, "remote": BUCKET, "keep_local": False, "threads": 1, "processes": 1,
            "cluster": "tcp://127.0.0.1:1", "confirm_after": 0.1, "output_format": StoreKind.WEBDATASET,
        }  # fmt: skip
        settings = RunOptions.of(defaults | options).settings(version.directory)

        @asynccontextmanager
        async def machines(work: ImageWork, in_flight: InFlight) -> AsyncIterator[Machine]:
            engine.stop = work.context.stop
            yield new_dispatcher(engine, Roster(work.context.meter, work.inputs, {}), work, in_flight, "")

        capfd.readouterr()
        try:
            with open_console(None, log_to_stdout=False) as console, open_writer(settings.state_db) as db:
                session = RunSession(settings, version, console, DisplayOptions(Display.NONE))
                chosen = machines if settings.cluster else this_machine
                end = session.run(db, lambda context: Run(context, machines=chosen).run())
                statuses = dict(db.execute("SELECT status, count(*) FROM download GROUP BY status").fetchall())
        finally:
            engine.close()
        return Ended(end, capfd.readouterr().err, statuses)

    return start


def _keys(store: Store) -> set[str]:
    return {name for name in store.objects() if not name.endswith(".sha256")}


def _check(store: Store, ask: Callable[..., list[tuple]]) -> None:
    """Every image that is done is in one object once, whole, where its row says; each has its claim; nothing else."""
    objects = store.objects()
    shards = {path for (path,) in ask("SELECT path FROM shard")}
    assert objects.keys() == shards | {f"{path}.sha256" for path in shards}
    in_shards = []
    for path in shards:
        with tarfile.open(fileobj=io.BytesIO(objects[path])) as shard:
            in_shards += [name for name in shard.getnames() if name.endswith(".jpg")]
    done = [f"{image_id}.jpg" for (image_id,) in ask("SELECT image_id FROM download WHERE status = 'done'")]
    assert sorted(in_shards) == sorted(done)
    for image_id, place in ask("SELECT image_id, path FROM file"):
        path, _, at = place.partition("#")
        with tarfile.open(fileobj=io.BytesIO(objects[path])) as shard:
            assert shard.getmember(f"{image_id}.jpg").offset_data == int(at)


def test_without_trouble_all_images_are_in_the_object_store(away, store, ask) -> None:
    ended = away()
    assert (ended.end.exit_code, ended.statuses) == (ExitCode.SETTLED, {"done": 24})
    _check(store, ask)


@pytest.mark.parametrize("cluster", ["tcp://127.0.0.1:1", None])
def test_a_run_that_cannot_give_shards_their_names_is_not_finished_and_the_next_one_does(
    cluster: str | None, away, store, ask
) -> None:
    store.refuses = lambda method, path: method == "COPY" and "-check" not in path
    ended = away()
    assert ended.end.exit_code == ExitCode.UNFINISHED
    assert re.search(r"^stopped: s3://bucket/2017_11/\S+\.tar could not be uploaded: ", ended.said, re.MULTILINE)
    store.refuses = lambda method, path: False
    ended = away(cluster=cluster)
    assert (ended.end.exit_code, ended.statuses) == (ExitCode.SETTLED, {"done": 24})
    _check(store, ask)


def test_a_run_without_the_store_says_what_waits_there(away, store) -> None:
    store.refuses = lambda method, path: method == "COPY" and "-check" not in path
    away(shard_samples=100)
    ended = away(cluster=None, remote=None, keep_local=True)
    said = r"^\d shards? in s3://bucket/\.oidl-part will get the final names when `--remote` is given again$"
    assert re.search(said, ended.said, re.MULTILINE)
    assert ended.statuses == {"done": 24}


def test_a_store_that_deletes_nothing_only_keeps_what_was_staged(away, store, ask) -> None:
    store.refuses = lambda method, path: method == "DELETE"
    for _ in range(2):
        ended = away()
        assert (ended.end.exit_code, ended.statuses) == (ExitCode.SETTLED, {"done": 24})
        assert "s3://bucket/.oidl-part/ could not be cleared: " in ended.said
    store.refuses = lambda method, path: False
    away()
    _check(store, ask)


@pytest.mark.parametrize(
    ("method", "problem"),
    [
        ("GET", "objects cannot be listed there"),
        ("PUT", "objects cannot be written there"),
        ("COPY", "objects cannot be copied there"),
        ("CREATE", "objects cannot be created on condition that they do not exist (If-None-Match) there"),
        ("HEAD", "objects cannot be looked for there"),
    ],
)
def test_what_the_store_does_not_allow_is_known_before_anything_is_downloaded(
    method: str, problem: str, away, store, fine
) -> None:
    store.refuses = lambda asked, path: asked == method
    with pytest.raises(BaseExceptionGroup) as caught:
        away()
    assert caught.group_contains(RemoteError, match=f"^{BUCKET} cannot be used: {re.escape(problem)}: ")
    assert not fine.requests


def _goes_once(engine: Threads, exchange: Exchange) -> bool:
    """One node of two goes when it has something on its disk; then another one begins."""
    return engine.begun == 2 and any(engine.home.rglob("*.tar.part"))


@pytest.mark.parametrize("options", [{}, {"limit": 10}, {"limit": 10, "always_download": True}])
def test_what_a_node_takes_with_it_is_fetched_again_and_the_number_is_right(
    options: dict[str, Any], away, store, ask
) -> None:
    ended = away(lose=_goes_once, **options)
    assert "will be fetched again" in ended.said
    assert (ended.end.exit_code, ended.statuses["done"]) == (ExitCode.SETTLED, options.get("limit", 24))
    _check(store, ask)


def test_a_limit_counts_what_is_downloaded_again_once(away, ask) -> None:
    away(limit=12)
    ended = away(lose=_goes_once, limit=6, always_download=True)
    assert ended.end.exit_code == ExitCode.SETTLED
    since = "(SELECT max(started_at) FROM run)"
    assert ask(f"SELECT count(*) FROM download WHERE status = 'done' AND finished_at >= {since}") == [(6,)]


def test_a_limit_is_not_met_by_images_that_are_lost_while_the_run_stops(away, store, ask) -> None:
    def goes_at_the_end(engine: Threads, exchange: Exchange) -> bool:
        if exchange.ends:
            engine.stop.limit_reached("it is late")
        return exchange.ends

    ended = away(lose=goes_at_the_end, limit=2, shard_samples=100)
    assert (ended.end.exit_code, ended.statuses) == (ExitCode.UNFINISHED, {"pending": 24})
    assert "stopped: it is late" in ended.said
    _check(store, ask)


def test_a_run_that_is_cut_off_says_which_images_are_not_done(away, store, ask) -> None:
    def cut_off(engine: Threads, exchange: Exchange) -> bool:
        if exchange.ends:
            engine.stop.interrupt()
            engine.stop.interrupt()
        return False

    ended = away(lose=cut_off, shard_samples=100)
    assert (ended.end.exit_code, ended.statuses) == (ExitCode.INTERRUPTED, {"pending": 24})
    assert "24 images missing from shards will be fetched again" in ended.said
    assert away().statuses == {"done": 24}
    away()  # sweeps what the nodes of the first run have uploaded since
    _check(store, ask)
