"""The network options of a run: names, proxies, certificates, and its User-Agent."""

import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oidl.net.dns import cached_dns
from oidl.pipeline import run as pipeline_run

HEADER = (
    b"ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,"
    b"Author,Title,OriginalSize,OriginalMD5,Thumbnail300KURL\n"
)


@pytest.fixture
def by_name(fine, tmp_path: Path) -> Callable[[str], Path]:
    """A list of the dataset's images at a host of this name, at the same ports."""

    def write(name: str) -> Path:
        rows = b"".join(row for rows in fine.rows().values() for row in rows)
        path = tmp_path / "list.csv"
        path.write_bytes(HEADER + rows.replace(b"http://127.0.0.1:", f"http://{name}:".encode()))
        return path

    return write


def test_a_run_asks_for_a_hosts_address_once(fine, run, ask, by_name, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: Counter[tuple[bytes, int]] = Counter()
    timeouts: list[float] = []

    def query(host: bytes, port: int, *_: object) -> list[Any]:
        asked[host, port] += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    def cached(timeout_s: float) -> Any:
        timeouts.append(timeout_s)
        return cached_dns(timeout_s, query)

    monkeypatch.setattr(pipeline_run, "cached_dns", cached)
    ended = run(fine, "--nodownload-metadata", f"--images-csv={by_name('photos.test')}", "--dns-timeout=3")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ask("SELECT status, count(*) FROM download GROUP BY 1") == [("done", len(fine.images))]
    assert fine.site.connections.opened > 2
    assert len(asked) == 2
    assert set(asked.values()) == {1}
    assert timeouts == [3.0]


def test_a_run_goes_through_the_proxy_of_the_environment(fine, oidl, root: Path, ask, by_name, base_urls) -> None:
    for path, answer in list(fine.site.answers.items()):
        fine.site.answers |= {f"{base}{path}".replace("127.0.0.1", "photos.test"): answer for base in base_urls}
    ended = oidl(
        "run",
        f"--root-dir={root}",
        f"--catalogue={fine.catalogue}",
        f"--images-csv={by_name('photos.test')}",
        "--nodownload-metadata",
        env={"http_proxy": base_urls[2], "no_proxy": ""},
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ask("SELECT status, count(*) FROM download GROUP BY 1") == [("done", len(fine.images))]
    assert all(path.startswith("http://photos.test:") for path in fine.requests)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"http_proxy": "gopher://127.0.0.1"}, "a proxy from the environment cannot be used"),
        ({"SSL_CERT_FILE": "/nowhere.pem"}, "SSL_CERT_FILE=/nowhere.pem cannot be used: No such file or directory"),
    ],
)
def test_an_environment_that_cannot_be_used_is_said_before_anything_is_made(
    environment: dict[str, str], said: str, fine, oidl, root: Path
) -> None:
    ended = oidl("run", f"--root-dir={root}", f"--catalogue={fine.catalogue}", env=environment)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"oidl: {said}")
    assert not root.exists()


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--dns-timeout=0", "--dns-timeout must be more than 0"),
        ("--tls-timeout=-1", "--tls-timeout must be more than 0"),
        ("--tls-timeout=inf", "--tls-timeout must be more than 0"),
        ("--user-agent= ", "--user-agent must be plain text"),
        ("--user-agent=a\nb: c", "--user-agent must be plain text"),
        ("--user-agent=größer", "--user-agent must be plain text"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(option: str, said: str, fine, run, root: Path) -> None:
    ended = run(fine, option)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"oidl: {said}")
    assert not root.exists()


def test_what_a_run_is_told_of_the_network_is_what_it_does(fine, run, ask) -> None:
    ended = run(fine, "--limit=0", "--dns-timeout=1", "--tls-timeout=2", "--connect-timeout=3", "--user-agent=me/1")
    assert ended.returncode == 0
    columns = [f"json_extract(settings, '$.transfers.{name}')" for name in (
        "dns_timeout_s", "tls_timeout_s", "connect_timeout_s", "user_agent"
    )]  # fmt: skip
    assert ask(f"SELECT {', '.join(columns)} FROM run") == [(1.0, 2.0, 3.0, "me/1")]


def test_the_demo_asks_no_proxy_for_loopback(oidl, ports, tmp_path: Path) -> None:
    ended = oidl.process(
        "demo",
        f"--root-dir={tmp_path / 'demo'}",
        "--images=1",
        f"--port={ports[0]}",
        env={"http_proxy": "http://127.0.0.1:1", "NO_PROXY": "example.org"},
    )
    assert ended.returncode == 0, ended
