"""What a request sends besides its path: the User-Agent, credentials, through which proxy, with which certificates.

The servers are real ones on loopback, because proxies and certificates come from the environment.
"""

import os
import ssl
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpcore
import pytest
import trio
import trustme
from downloads import open_downloader

from oidl import __version__
from oidl.demo.server import serve
from oidl.demo.site import CannedResponse, Site, redirect, status_answer
from oidl.errors import UsageError
from oidl.model import Failure, Fetched, Reason, Source
from oidl.net.client import check_environment, new_client, tls_context
from oidl.net.resume import download
from oidl.net.transfer import Download
from oidl.settings import NetworkSettings

BODY = bytes(range(256)) * 40
PATH = "/1/2_o.jpg"


async def unheeded(count: int) -> None:
    pass


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("SSL_CERT_"):
            monkeypatch.delenv(name)


@dataclass
class Noting:
    """A server that notes the head of every request; paths that are no redirect are the photo."""

    redirects: dict[str, str] = field(default_factory=dict)
    heads: list[str] = field(default_factory=list)

    async def serve(self, stream: trio.SocketStream) -> None:
        async with stream:
            head = b""
            while b"\r\n\r\n" not in head:
                head += await stream.receive_some()
            self.heads.append(head.decode().lower())
            location = self.redirects.get(head.decode().split()[1])
            status = f"302 Found\r\nLocation: {location}" if location else "200 OK"
            body = b"" if location else BODY
            answer = f"HTTP/1.1 {status}\r\nSet-Cookie: visitor=1\r\nConnection: close\r\nContent-Length: {len(body)}"
            await stream.send_all(f"{answer}\r\n\r\n".encode() + body)

    async def start(self, nursery: trio.Nursery) -> str:
        (listener,) = await nursery.start(partial(trio.serve_tcp, self.serve, 0, host="127.0.0.1"))
        return f"127.0.0.1:{listener.socket.getsockname()[1]}"


async def get(url: str, transfers: NetworkSettings | None = None) -> Fetched | Failure | None:
    transfers = transfers or NetworkSettings(max_total_connections=1)
    async with open_downloader(transfers, partial(new_client, transfers, tls_context())) as downloader:
        return await downloader.fetch(Download(url, Source.ORIGINAL, len(BODY), len(BODY)))


async def get_image(url: str, part: Path) -> None:
    assert isinstance(await get(url), Fetched)


async def get_archive(url: str, part: Path) -> None:
    async def deliver(data: bytes) -> None:
        await trio.lowlevel.checkpoint()

    size_bytes = await download(
        url,
        part,
        deliver,
        transfers=NetworkSettings(),
        tls=tls_context(),
        expected_bytes=len(BODY),
        on_bytes=unheeded,
    )
    assert size_bytes == len(BODY)


def on_loopback(main: Callable[[trio.Nursery], Any]) -> Any:
    async def run() -> Any:
        async with trio.open_nursery() as nursery:
            result = await main(nursery)
            nursery.cancel_scope.cancel()
        return result

    return trio.run(run)


# ---- who asks


@pytest.mark.parametrize(
    ("user_agent", "said"),
    [
        (None, f"oidl/{__version__} (open images dataset downloader)"),
        ("me/1 (me@example.org)", "me/1 (me@example.org)"),
    ],
)
def test_servers_are_told_who_asks(user_agent: str | None, said: str) -> None:
    async def main(nursery: trio.Nursery) -> None:
        server = Noting()
        url = f"http://{await server.start(nursery)}{PATH}"
        assert isinstance(await get(url, NetworkSettings(user_agent=user_agent)), Fetched)
        assert f"\r\nuser-agent: {said}\r\n" in server.heads[0]
        assert "accept-encoding: identity\r\n" in server.heads[0]

    on_loopback(main)


# ---- secrets


@pytest.mark.parametrize("transfer", [get_image, get_archive], ids=["image", "archive"])
def test_what_one_server_may_know_no_other_is_told_after_a_redirect(transfer: Any, tmp_path: Path) -> None:
    async def main(nursery: trio.Nursery) -> None:
        first, second = Noting(), Noting()
        asked, elsewhere = await first.start(nursery), await second.start(nursery)
        first.redirects = {"/from": "/here", "/here": f"http://{elsewhere}{PATH}"}
        await transfer(f"http://me:secret@{asked}/from", tmp_path / "part")
        assert ["authorization: basic" in head for head in first.heads] == [True, True]
        assert len(second.heads) == 1
        for head in first.heads[1:] + second.heads:
            assert "cookie" not in head
        assert "authorization" not in second.heads[0]
        assert "secret" not in second.heads[0]
        assert "referer" not in second.heads[0]

    on_loopback(main)


# ---- proxies


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_a_proxy_that_the_environment_names_is_asked_instead(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(nursery: trio.Nursery) -> None:
        url = f"http://photos.invalid{PATH}"
        site = Site({url: CannedResponse(BODY)})
        monkeypatch.setenv(name, await nursery.start(serve, site))
        assert await get(url) == Fetched(Source.ORIGINAL, url, BODY)
        assert site.log == [(url, 200)]

    on_loopback(main)


def test_no_proxy_names_the_hosts_that_are_asked_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(nursery: trio.Nursery) -> None:
        site, proxy = Site({PATH: CannedResponse(BODY)}), Site()
        url = await nursery.start(serve, site) + PATH
        monkeypatch.setenv("http_proxy", await nursery.start(serve, proxy))
        monkeypatch.setenv("no_proxy", "example.org,127.0.0.1")
        assert await get(url) == Fetched(Source.ORIGINAL, url, BODY)
        assert proxy.log == []

    on_loopback(main)


async def tunnel(stream: trio.SocketStream, port: int, heads: list[bytes]) -> None:
    """A proxy that does CONNECT, to wherever, by connecting to `port` of this machine."""
    async with stream:
        heads.append(bytes(await stream.receive_some()))
        async with await trio.open_tcp_stream("127.0.0.1", port) as server:
            await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")

            async def pass_on(source: trio.SocketStream, target: trio.SocketStream) -> None:
                with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    async for data in source:
                        await target.send_all(data)
                nursery.cancel_scope.cancel()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(pass_on, stream, server)
                nursery.start_soon(pass_on, server, stream)


@pytest.fixture
def ca(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority that `SSL_CERT_FILE` names."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return made


def context(ca: trustme.CA, name: str) -> ssl.SSLContext:
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(name).configure_cert(made)
    return made


def test_https_goes_through_a_tunnel_and_the_proxys_password_no_further(
    ca: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main(nursery: trio.Nursery) -> None:
        site = Site({PATH: CannedResponse(BODY)})
        server = await nursery.start(partial(serve, site, tls=context(ca, "photos.invalid")))
        heads: list[bytes] = []
        proxying = partial(tunnel, port=int(server.rpartition(":")[2]), heads=heads)
        (proxy,) = await nursery.start(partial(trio.serve_tcp, proxying, 0, host="127.0.0.1"))
        monkeypatch.setenv("https_proxy", f"http://me:secret@127.0.0.1:{proxy.socket.getsockname()[1]}")
        url = f"https://photos.invalid{PATH}"
        assert await get(url) == Fetched(Source.ORIGINAL, url, BODY)
        assert heads[0].startswith(b"CONNECT photos.invalid:443")
        assert b"proxy-authorization" in heads[0].lower()

    on_loopback(main)


def test_a_proxy_that_refuses_says_nothing_about_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(nursery: trio.Nursery) -> None:
        url = f"http://photos.invalid{PATH}"
        monkeypatch.setenv("http_proxy", await nursery.start(serve, Site({url: status_answer(407)})))
        failure = await get(url)
        assert isinstance(failure, Failure)
        assert (failure.reason, failure.http_status) == (Reason.CONNECTION, 407)
        assert "proxy" in failure.detail

    on_loopback(main)


def without_socksio(**_: object) -> None:
    """The SOCKS proxy of httpcore where socksio is not installed, on which nothing here depends."""
    raise RuntimeError("socksio is missing")


@pytest.mark.parametrize("proxy", ["gopher://127.0.0.1", "socks5://127.0.0.1:1080", "http://[1.2.3.4]/", "http://[1"])
def test_a_proxy_that_cannot_be_used_is_said_before_anything_is_asked(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(httpcore, "AsyncSOCKSProxy", without_socksio)
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(UsageError, match="a proxy from the environment cannot be used"):
        check_environment(NetworkSettings())


# ---- whom we trust


def secured(ca: trustme.CA) -> Fetched | Failure | None:
    async def main(nursery: trio.Nursery) -> Fetched | Failure | None:
        site = Site({PATH: CannedResponse(BODY), "/from": redirect(PATH)})
        return await get(await nursery.start(partial(serve, site, tls=context(ca, "127.0.0.1"))) + "/from")

    return on_loopback(main)


def test_the_environment_may_name_a_file_of_whom_to_trust(ca: trustme.CA) -> None:
    assert isinstance(secured(ca), Fetched)
    failure = secured(trustme.CA())
    assert isinstance(failure, Failure)
    assert failure.reason is Reason.TLS


def test_the_environment_may_name_a_directory_of_whom_to_trust(
    ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "certificates"
    directory.mkdir()
    monkeypatch.setenv("SSL_CERT_DIR", str(directory))
    monkeypatch.delenv("SSL_CERT_FILE")
    failure = secured(ca)
    assert isinstance(failure, Failure)
    assert failure.reason is Reason.TLS
    try:
        command = ["openssl", "x509", "-hash", "-noout", "-in", tmp_path / "ca.pem"]
        name = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except FileNotFoundError:
        pytest.skip("only openssl knows what a certificate's file is called")
    (directory / f"{name}.0").write_bytes((tmp_path / "ca.pem").read_bytes())
    assert isinstance(secured(ca), Fetched)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("SSL_CERT_FILE", None, "No such file"),
        ("SSL_CERT_DIR", None, "No such file"),
        ("SSL_CERT_FILE", "no certificate", "no certificates in it"),
    ],
)
def test_certificates_that_cannot_be_read_are_said_before_anything_is_asked(
    name: str, content: str | None, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "named"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv(name, str(path))
    with pytest.raises(UsageError, match=f"{name}={path} cannot be used: {why}"):
        check_environment(NetworkSettings())
