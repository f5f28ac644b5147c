"""`oidl run --output-format`: shards that stock readers read, and shards in an object store."""

import gc
import glob
import hashlib
import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import obstore
import pytest
import webdataset
from moto.server import ThreadedMotoServer
from obstore.store import from_url

pytestmark = pytest.mark.slow

_OPTIONS = ("--no-download-metadata", "--resize-box-size=64", "--max-wait=1")


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server that is compatible with S3, with the bucket `images`."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "very-secret", "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": address, "AWS_ALLOW_HTTP": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    urllib.request.urlopen(urllib.request.Request(f"{address}/images", method="PUT"))
    yield address
    urllib.request.urlopen(urllib.request.Request(f"{address}/moto-api/reset", method="POST"))
    server.stop()


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning", "ignore:Exception ignored in")  # by webdataset
@pytest.mark.parametrize("processes", [1, 2])
def test_stock_readers_read_webdataset_shards(
    processes: int, run: Callable[..., Any], fine: Any, root: Path, ask: Callable[..., list[tuple]], tmp_path: Path
) -> None:
    run(fine, *_OPTIONS, "--output-format=webdataset", "--shard-samples=5", f"--processes={processes}")
    done = {image_id for (image_id,) in ask("SELECT image_id FROM download WHERE status = 'done'")}
    assert len(done) == len(fine.images)
    shards = sorted(glob.glob(f"{root}/*/*/images-resized/*.tar"))
    assert all(samples <= 5 for (samples,) in ask("SELECT samples FROM shard"))

    seen = []
    for sample in webdataset.WebDataset(shards, shardshuffle=False).decode("pil"):
        assert max(sample["jpg"].size) == 64
        assert sample["__key__"] == sample["json"]["image_id"]
        assert (sample["json"]["width"], sample["json"]["height"]) == sample["jpg"].size
        seen.append(sample["__key__"])
    assert sorted(seen) == sorted(done)
    gc.collect()  # it leaves its files open

    for is_streaming in (False, True):
        loaded = datasets.load_dataset(
            "webdataset", data_files=shards, split="train", streaming=is_streaming, cache_dir=str(tmp_path / "cache")
        )
        rows = list(loaded)
        assert sorted(row["json"]["image_id"] for row in rows) == sorted(done)
        assert {(row["json"]["width"], row["json"]["height"]) == row["jpg"].size for row in rows} == {True}
        assert all(row["json"]["license"].startswith("https://creativecommons.org/") for row in rows)


def test_shards_go_to_an_object_store(
    s3: str, run: Callable[..., Any], fine: Any, root: Path, ask: Callable[..., list[tuple]]
) -> None:
    shards = ("--output-format=webdataset", "--shard-samples=10", "--no-keep-local")
    refused = run(fine, *_OPTIONS, *shards, "--remote=s3://nowhere/x")
    assert refused.returncode == 3
    assert "s3://nowhere/x cannot be used: " in refused.stderr
    assert "Traceback" not in refused.stderr
    assert fine.requests == {}

    obstore.put(from_url("s3://images/other"), "2017_11/train/images-resized/train-000000.tar.sha256", b"not ours")
    taken = run(fine, *_OPTIONS, *shards, "--remote=s3://images/other")
    assert taken.returncode == 3
    assert "train-000000.tar is another object, which is not replaced" in taken.stdout
    assert ask("SELECT count(*) FROM shard WHERE uploaded_at NOTNULL") == [(0,)]  # it is the first of them
    assert len(list(root.rglob("*.tar"))) == len(ask("SELECT 1 FROM shard"))

    went_on = run(fine, *_OPTIONS, *shards, "--remote=s3://images/set")
    assert went_on.returncode == 0
    rows = ask("SELECT path, remote_url, is_local FROM shard")
    assert rows
    assert all(url == f"s3://images/set/{path}" and not is_local for path, url, is_local in rows)
    assert not list(root.rglob("*.tar*"))
    names = urllib.request.urlopen(urllib.request.Request(f"{s3}/images?list-type=2")).read().decode()
    assert all(f"<Key>set/{path}</Key>" in names and f"<Key>set/{path}.sha256</Key>" in names for path, _, _ in rows)
    assert not [path for path in root.rglob("*") if path.is_file() and b"very-secret" in path.read_bytes()]


def test_a_packed_set_goes_to_an_object_store(
    s3: str, oidl: Callable[..., Any], run: Callable[..., Any], fine: Any, root: Path, ask: Callable[..., list[tuple]]
) -> None:
    run(fine, *_OPTIONS)
    pack = ("pack", f"--root-dir={root}", "--shard-samples=10")
    refused = oidl(*pack, "--remote=s3://nowhere/x")
    assert refused.returncode == 3
    assert "s3://nowhere/x/" in refused.stderr
    assert "Traceback" not in refused.stderr
    for _ in range(2):  # the second time everything is there
        packed = oidl(*pack, "--remote=s3://images/packed/")
        assert packed.returncode == 0, packed.stderr
        assert "uploaded to s3://images/packed" in packed.stdout
    bucket = from_url("s3://images/packed")
    for path, size, digest in ask("SELECT path, bytes, sha256 FROM shard"):
        body = bytes(obstore.get(bucket, Path(path).name).bytes())
        assert (len(body), hashlib.sha256(body).hexdigest()) == (size, digest)
    index = json.loads(bytes(obstore.get(bucket, "shards.json").bytes()))
    assert len(index["shardlist"]) == len(ask("SELECT 1 FROM shard"))
    for name in ("README.md", "croissant.json", "ATTRIBUTION.csv"):
        assert obstore.head(bucket, name)["size"] > 0


def test_two_packs_in_directories_of_one_name_are_two_data_sets(
    oidl: Callable[..., Any], run: Callable[..., Any], fine: Any, root: Path, tmp_path: Path
) -> None:
    run(fine, *_OPTIONS)
    for form in ("webdataset", "parquet"):
        for count in (5, 8):
            dest = tmp_path / form / str(count) / "images"
            packed = oidl("pack", f"--root-dir={root}", f"--format={form}", f"--limit={count}", f"--dest={dest}")
            assert packed.returncode == 0, packed.stderr
            loaded = datasets.load_dataset(str(dest), cache_dir=str(tmp_path / "cache"))
            assert sum(len(split) for split in loaded.values()) == count


def test_a_run_says_that_samples_will_have_no_boxes(run: Callable[..., Any], fine: Any) -> None:
    text = "images in shards will have no boxes and labels, because none are loaded yet"
    assert text in run(fine, *_OPTIONS, "--output-format=webdataset", "--limit=2").stdout
    assert text not in run(fine, *_OPTIONS, "--limit=3").stdout


def test_options_that_make_no_sense_are_refused(run: Callable[..., Any], fine: Any) -> None:
    for options, message in (
        (("--remote=s3://bucket/x",), "--remote is for shards"),
        (("--shard-samples=9",), "--shard-samples is for shards"),
        (("--output-format=files", "--shard-size=2G"), "--shard-size is for shards"),
        (("--output-format=webdataset", "--remote=nowhere"), "is not a place in an object store"),
        (("--output-format=webdataset", "--no-keep-local"), "--no-keep-local is for shards that are uploaded"),
        (("--output-format=zip",), "--output-format cannot be 'zip'"),
    ):
        refused = run(fine, *_OPTIONS, *options)
        assert refused.returncode == 2
        assert message in refused.stderr


def test_a_root_keeps_its_format(
    oidl: Callable[..., Any], run: Callable[..., Any], fine: Any, root: Path, ask: Callable[..., list[tuple]]
) -> None:
    run(fine, *_OPTIONS, "--output-format=tfrecord", "--limit=5")
    went_on = oidl("run", f"--root-dir={root}", "--no-download-metadata", "--limit=8")
    assert went_on.returncode == 0
    assert ask("SELECT store, files FROM rendition") == [("tfrecord", 8)]
    assert ask("SELECT count(*), count(DISTINCT image_id) FROM shard_member") == [(8, 8)]
    plan = json.loads(ask("SELECT value FROM plan WHERE option = 'output_format'")[0][0])
    assert plan == "tfrecord"

    files = run(fine, *_OPTIONS, "--output-format=files", "--limit=8")
    assert files.returncode == 0
    assert ask("SELECT store, files FROM rendition ORDER BY store") == [("files", 8), ("tfrecord", 8)]
