"""Runs on Dask clusters of several kinds: one that grows and shrinks, one with TLS, and one that Ctrl-C ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from refusals import assert_one_clear_line

from bench.measure import descendants

pytestmark = pytest.mark.slow

# Workers in one process, which is all that these tests need. It ends with its standard input; each line shrinks it.
_CLUSTER = """
import json, sys
from distributed import LocalCluster
workers, adaptive, options = json.loads(sys.argv[1])
with LocalCluster(
    n_workers=workers, threads_per_worker=1, processes=False, host="127.0.0.1", dashboard_address=None,
    silence_logs=50, **{"protocol": "tcp://", **options}
) as cluster:
    if adaptive:
        cluster.adapt(minimum=2, maximum=3, interval="100 ms")
        cluster.wait_for_workers(2)
    print(cluster.scheduler_address, flush=True)
    for line in sys.stdin:
        cluster.adapt(minimum=1, maximum=1, interval="100 ms", wait_count=1)
"""
_OPTIONS = ("--resize-box-size=64", "--max-wait=20", "--no-download-metadata", "--min-free=0")


@contextmanager
def cluster(
    workers: int, env: dict[str, str] | None = None, *, adaptive: bool = False, **options: Any
) -> Iterator[Any]:
    """Starts a scheduler and workers; yields its process, whose `address` is that of the scheduler."""
    command = [sys.executable, "-c", _CLUSTER, json.dumps([workers, adaptive, options])]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | (env or {})
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(20)


@pytest.fixture
def dataset(root: Path, fine: Any) -> tuple[str, ...]:
    return (f"--root-dir={root}", f"--catalogue={fine.catalogue}", *_OPTIONS)


def test_a_cluster_may_grow_and_shrink_during_a_run(oidl, dataset, fine, ask, wait_until, root: Path) -> None:
    def living() -> int:
        try:
            return ask("SELECT count(*) FROM node WHERE lost IS NULL")[0][0]
        except Exception:  # there is no database yet
            return 0

    log = root.parent / "log"
    with cluster(0, adaptive=True) as (process, address):
        run = oidl.start("run", *dataset, f"--cluster={address}", "--max-rps=1", f"--log-file={log}")
        wait_until(lambda: living() == 2)
        process.stdin.write("\n")
        process.stdin.flush()
        wait_until(lambda: "has left the cluster" in log.read_text("utf-8"))
        run.send_signal(signal.SIGINT)  # the rest would take as long again
        ended = oidl.end(run)
    assert (ended.returncode, ended.stderr) == (130, "")
    [(done,)] = ask("SELECT count(*) FROM download WHERE status = 'done'")
    assert ask("SELECT sum(images) FROM node") == [(done,)]
    assert ask("SELECT status, count(*) FROM download WHERE status <> 'done' GROUP BY 1") == [
        ("pending", len(fine.images) - done)
    ]


def certificates(directory: Path) -> dict[str, str]:
    """Dask's configuration for a cluster whose parts trust one authority, which is made here."""
    trustme = pytest.importorskip("trustme", reason="the package cryptography makes the certificates")
    authority = trustme.CA()
    part = authority.issue_cert("127.0.0.1")
    paths = {name: str(directory / f"{name}.pem") for name in ("ca", "cert", "key")}
    authority.cert_pem.write_to_path(paths["ca"])
    part.cert_chain_pems[0].write_to_path(paths["cert"])
    part.private_key_pem.write_to_path(paths["key"])
    tls = "DASK_DISTRIBUTED__COMM__TLS__"
    each = {
        f"{tls}{who}__{what.upper()}": paths[what]
        for who in ("SCHEDULER", "WORKER", "CLIENT")
        for what in ("cert", "key")
    }
    return {f"{tls}CA_FILE": paths["ca"], **each, "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true"}


def test_a_cluster_with_tls_is_used_with_certificates_and_not_without(oidl, dataset, fine, ask, tmp_path: Path) -> None:
    env = certificates(tmp_path)
    with cluster(1, env, protocol="tls://") as (_, address):
        assert address.startswith("tls://")
        refused = oidl.process("run", *dataset, f"--cluster={address}")
        assert refused.returncode == 2
        assert_one_clear_line(refused.stderr)
        assert f"--cluster: {address} needs certificates, and Dask's configuration names none" in refused.stderr
        ended = oidl.process("run", *dataset, f"--cluster={address}", env=env)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "no TLS" not in ended.stdout
    assert ask("SELECT status, count(*) FROM download GROUP BY 1") == [("done", len(fine.images))]


def test_two_quick_ctrl_c_end_a_run_and_everything_that_it_started(
    oidl, dataset, fine, ask, wait_until, root: Path, tmp_path: Path
) -> None:
    fine.block_images()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    log = tmp_path / "log"
    options = ("--cluster=local:2", "--output-format=files", f"--log-file={log}")
    run = oidl.start("run", *dataset, *options, env={"TMPDIR": str(scratch)})
    wait_until(lambda: sum(fine.requests.values()) >= 2)
    started = descendants(run.pid)
    assert len(started) >= 2
    run.send_signal(signal.SIGINT)
    wait_until(lambda: "press Ctrl-C again to stop at once" in log.read_text("utf-8"))
    run.send_signal(signal.SIGINT)
    began = time.monotonic()
    ended = oidl.end(run)
    assert time.monotonic() - began < 15  # half a second, if the machine has nothing else to do
    assert (ended.returncode, ended.stderr) == (130, "")
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started))
    assert ask("SELECT status, count(*) FROM download GROUP BY 1") == [("pending", len(fine.images))]
    assert ask("SELECT outcome FROM run") == [("interrupted",)]
    assert [path for path in root.rglob("*") if ".oidl-part" in str(path)] == []
    assert list(scratch.iterdir()) == []


def test_ctrl_c_while_workers_start_ends_the_run_without_a_word_from_them(oidl, dataset, wait_until) -> None:
    run = oidl.start("run", *dataset, "--cluster=local:2", "--progress=none")
    wait_until(lambda: len(descendants(run.pid)) >= 3)  # two workers, and what multiprocessing starts for them
    started = descendants(run.pid)
    for pid in [*started, run.pid]:  # as a terminal does
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
    ended = oidl.end(run)
    assert (ended.returncode, ended.stderr) == (130, "")
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started))
