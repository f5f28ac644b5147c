"""Uploads to an object store: a real server that is compatible with S3."""

import hashlib
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import obstore
import pytest
from moto.server import ThreadedMotoServer
from obstore.store import from_url

from oidl.errors import RemoteError, UsageError
from oidl.storage.remote import RemoteStore

BODY = bytes(range(256)) * 100
DIGEST = hashlib.sha256(BODY).hexdigest()


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ALLOW_HTTP": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/bucket", method="PUT"))
    yield
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST"))
    server.stop()


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    path = tmp_path / "train-000000.tar"
    path.write_bytes(BODY)
    return path


def fetched(key: str) -> bytes:
    return bytes(obstore.get(from_url("s3://bucket"), key).bytes())


def put(key: str, body: bytes) -> None:
    obstore.put(from_url("s3://bucket"), key, body)


def test_a_shard_is_uploaded_with_its_digest(shard: Path) -> None:
    url = RemoteStore("s3://bucket/cats/").upload(shard, "v7/train/a.tar", len(BODY), DIGEST)
    assert url == "s3://bucket/cats/v7/train/a.tar"
    assert fetched("cats/v7/train/a.tar") == BODY
    assert fetched("cats/v7/train/a.tar.sha256") == f"{DIGEST}  a.tar\n".encode()


def test_a_large_shard_comes_in_parts(tmp_path: Path) -> None:
    path, body = tmp_path / "a.tar", BODY * 900
    path.write_bytes(body)
    RemoteStore("s3://bucket").upload(path, "a.tar", len(body), hashlib.sha256(body).hexdigest())
    assert hashlib.sha256(fetched("a.tar")).digest() == hashlib.sha256(body).digest()


def test_the_same_shard_again_is_not_sent_again(shard: Path) -> None:
    store = RemoteStore("s3://bucket")
    store.upload(shard, "a.tar", len(BODY), DIGEST)
    shard.unlink()  # so nothing could be sent
    assert store.upload(shard, "a.tar", len(BODY), DIGEST) == "s3://bucket/a.tar"


def test_an_upload_that_broke_off_after_its_claim_is_done_again(shard: Path) -> None:
    claim = f"{DIGEST}  a.tar\n".encode()
    put("a.tar.sha256", claim)
    RemoteStore("s3://bucket").upload(shard, "a.tar", len(BODY), DIGEST)
    assert fetched("a.tar") == BODY


@pytest.mark.parametrize("present", ["a.tar.sha256", "a.tar"])
def test_another_object_is_never_replaced(present: str, shard: Path) -> None:
    put(present, b"something else")
    with pytest.raises(RemoteError, match="is another object, which is not replaced"):
        RemoteStore("s3://bucket").upload(shard, "a.tar", len(BODY), DIGEST)
    assert fetched(present) == b"something else"


def test_an_object_of_another_length_is_not_ours(shard: Path) -> None:
    store = RemoteStore("s3://bucket")
    store.upload(shard, "a.tar", len(BODY), DIGEST)
    put("a.tar", b"short")
    with pytest.raises(RemoteError, match="is another object"):
        store.upload(shard, "a.tar", len(BODY), DIGEST)


def test_a_bucket_that_does_not_exist_is_one_line(shard: Path) -> None:
    with pytest.raises(RemoteError, match="could not be uploaded") as caught:
        RemoteStore("s3://elsewhere").upload(shard, "a.tar", len(BODY), DIGEST)
    assert "\n" not in caught.value.message
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["nowhere", "ftp://a/b", "", "s3:bucket", "foo://bucket", "http://127.0.0.1:1/x", "file:///tmp"]
)
def test_what_is_no_object_store_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="is not a place in an object store"):
        RemoteStore(url)


def test_a_staged_object_gets_its_name_once(shard: Path) -> None:
    store = RemoteStore("s3://bucket/cats")
    assert store.stage(shard, "token-a.tar") == "s3://bucket/cats/.oidl-part/token-a.tar"
    for _ in range(2):  # the second is that of a run that was killed before it had recorded the first
        assert store.adopt("token-a.tar", "v7/a.tar", len(BODY), DIGEST) == "s3://bucket/cats/v7/a.tar"
        assert fetched("cats/v7/a.tar") == BODY
        assert keys() == {"cats/v7/a.tar", "cats/v7/a.tar.sha256"}


def test_a_staged_object_that_is_gone_is_not_adopted() -> None:
    assert RemoteStore("s3://bucket").adopt("token-a.tar", "a.tar", len(BODY), DIGEST) is None
    assert keys() == set()


def test_a_staged_object_replaces_no_other(shard: Path) -> None:
    store = RemoteStore("s3://bucket")
    store.stage(shard, "token-a.tar")
    put("a.tar", b"something else")
    with pytest.raises(RemoteError, match="is another object, which is not replaced"):
        store.adopt("token-a.tar", "a.tar", len(BODY), DIGEST)
    assert fetched("a.tar") == b"something else"


def test_only_what_ended_runs_have_staged_is_swept(shard: Path) -> None:
    store = RemoteStore("s3://bucket/cats")
    for name in ("ended-life-1.tar", "living-life-2.tar"):
        store.stage(shard, name)
    put("cats/a.tar", b"image")
    assert store.sweep({"ended"}.__contains__) == 1
    assert keys() == {"cats/.oidl-part/living-life-2.tar", "cats/a.tar"}


def keys() -> set[str]:
    return {each["path"] for page in obstore.list(from_url("s3://bucket")) for each in page}
