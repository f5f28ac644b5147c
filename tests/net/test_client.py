"""The HTTP client of every transfer: its limits and headers, its certificates, its proxies; errors by reason.

The server is a real one on loopback that logs its requests; as a proxy it also plays
the host behind it.
"""

import base64
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import trio
import trustme

from oidl import __version__
from oidl.model import Failure, Reason
from oidl.net.client import Client, failure_of, new_client, tls_context
from oidl.settings import NetworkSettings

TRANSFERS = NetworkSettings()
HOST = "photos.example"  # a name that nobody has: it is asked for through a proxy or not at all
_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@dataclass
class Server:
    """What was asked of it, and over how many connections."""

    tls: ssl.SSLContext | None = None
    status: bytes = b"200 OK"
    address: str = ""
    asked: list[str] = field(default_factory=list)
    opened: int = 0

    async def handle(self, stream: trio.abc.Stream) -> None:
        self.opened += 1
        with suppress(trio.BrokenResourceError):
            while head := await self._head(stream):
                if head.startswith("CONNECT"):
                    assert self.tls is not None
                    await stream.send_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    stream = trio.SSLStream(stream, self.tls, server_side=True, https_compatible=True)
                    continue
                await stream.send_all(
                    b"HTTP/1.1 " + self.status + b"\r\nLocation: /elsewhere\r\nContent-Length: 2\r\n\r\nok"
                )

    async def _head(self, stream: trio.abc.Stream) -> str:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            piece = await stream.receive_some(4096)
            if not piece:
                return ""
            head += bytes(piece)
        self.asked.append(head.decode())
        return self.asked[-1]

    @property
    def lines(self) -> list[str]:
        return [head.partition(" HTTP/1.1\r\n")[0] for head in self.asked]


async def start(nursery: trio.Nursery, server: Server) -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    server.address = "127.0.0.1:{1}".format(*listeners[0].socket.getsockname())
    nursery.start_soon(trio.serve_listeners, server.handle, listeners)


async def get(client: Client, url: str) -> httpx.Response:
    """An answer with its body."""
    async with client.stream("GET", url) as answer:
        await answer.aread()
    return answer


def ask(server: Server, monkeypatch: pytest.MonkeyPatch, url: str, **environment: str) -> httpx.Response | Failure:
    """The answer to one request; `@` in the environment and in `url` stands for where `server` is."""

    async def main() -> httpx.Response | Failure:
        async with trio.open_nursery() as nursery:
            await start(nursery, server)
            for name, value in environment.items():
                monkeypatch.setenv(name, value.replace("@", server.address))
            async with new_client(TRANSFERS, tls_context()) as client:
                try:
                    answer: httpx.Response | Failure = await get(client, url.replace("@/", f"{server.address}/"))
                except httpx.HTTPError as error:
                    answer = failure_of(error)
            nursery.cancel_scope.cancel()
        return answer

    return trio.run(main)


def asked(server: Server, monkeypatch: pytest.MonkeyPatch, url: str, **environment: str) -> httpx.Response:
    answer = ask(server, monkeypatch, url, **environment)
    assert isinstance(answer, httpx.Response), answer
    return answer


def refused(server: Server, monkeypatch: pytest.MonkeyPatch, url: str, **environment: str) -> Reason:
    failure = ask(server, monkeypatch, url, **environment)
    assert isinstance(failure, Failure), failure
    return failure.reason


# ---- caps, timeouts, headers


def test_it_keeps_its_one_connection() -> None:
    server = Server()

    async def main() -> None:
        async with trio.open_nursery() as serving:
            await start(serving, server)
            async with new_client(TRANSFERS, tls_context()) as client:
                for _ in range(3):
                    await get(client, f"http://{server.address}/x")
            serving.cancel_scope.cancel()

    trio.run(main)
    assert (len(server.asked), server.opened) == (3, 1)


def test_its_timeouts_are_those_asked_for_and_none_is_for_waiting_its_turn() -> None:
    client = new_client(NetworkSettings(connect_timeout_s=7, stall_timeout_s=11), tls_context())
    assert client.timeouts == {"connect": 7, "read": 11, "write": 11, "pool": None}


def test_a_user_and_a_password_in_the_url_are_sent_to_its_host_as_they_were_before_they_were_quoted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server()
    ask(server, monkeypatch, "http://me%40home:s%C3%A9same@@/x")
    fields = dict(line.split(": ", 1) for line in server.asked[0].strip().split("\r\n")[1:])
    assert fields["Host"] == server.address
    assert base64.b64decode(fields["Authorization"].removeprefix("Basic ")).decode() == "me@home:sésame"


def test_it_says_who_it_is_and_wants_the_bytes_as_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    ask(server, monkeypatch, "http://@/x")
    fields = dict(line.split(": ", 1) for line in server.asked[0].strip().split("\r\n")[1:])
    assert fields == {
        "Host": server.address,
        "User-Agent": f"oidl/{__version__} (Open Images dataset downloader)",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "keep-alive",
    }


def test_it_follows_no_redirect_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(status=b"302 Found")
    assert asked(server, monkeypatch, "http://@/x").status_code == 302
    assert server.lines == ["GET /x"]


# ---- whom it trusts


def authority(name: str = HOST) -> tuple[trustme.CA, ssl.SSLContext]:
    """Somebody to trust, and the server context of `name` with a certificate by them."""
    ca = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(name).configure_cert(context)
    return ca, context


def test_a_certificate_by_nobody_known_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _, tls = authority()
    assert refused(Server(tls), monkeypatch, f"https://{HOST}/x", HTTPS_PROXY="http://@") is Reason.TLS


def test_ssl_cert_file_says_whom_to_trust(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ca, tls = authority()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    environment = {"HTTPS_PROXY": "http://@", "SSL_CERT_FILE": str(tmp_path / "ca.pem")}
    assert asked(Server(tls), monkeypatch, f"https://{HOST}/x", **environment).text == "ok"
    assert refused(Server(tls), monkeypatch, "https://another.example/x", **environment) is Reason.TLS


def test_certificates_are_read_once_and_again_when_the_file_is_another_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    default = tls_context()
    assert tls_context() is default
    file = tmp_path / "ca.pem"
    authority()[0].cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    assert len(tls_context().get_ca_certs()) == 1
    authority()[0].cert_pem.write_to_path(str(file), append=True)
    assert len(tls_context().get_ca_certs()) == 2


def test_ssl_cert_dir_takes_the_place_of_all_that_are_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert tls_context().get_ca_certs()
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert tls_context().get_ca_certs() == []


# ---- proxies


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_an_http_url_goes_through_its_proxy_whole(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    server = Server()
    assert asked(server, monkeypatch, f"http://{HOST}/1_o.jpg?zz=1", **{variable: "http://@"}).text == "ok"
    assert server.lines == [f"GET http://{HOST}/1_o.jpg?zz=1"]


def test_an_https_url_goes_through_a_tunnel_and_its_certificate_is_the_hosts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ca, tls = authority()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    server = Server(tls)
    assert asked(server, monkeypatch, f"https://{HOST}/x", HTTPS_PROXY="http://@").text == "ok"
    assert server.lines == [f"CONNECT {HOST}:443", "GET /x"]


@pytest.mark.parametrize("exception", ["127.0.0.1", "*"])
def test_no_proxy_names_the_hosts_that_are_asked_directly(monkeypatch: pytest.MonkeyPatch, exception: str) -> None:
    server = Server()
    environment = {"HTTP_PROXY": "http://127.0.0.1:1", "NO_PROXY": exception}  # nobody is at port 1
    assert asked(server, monkeypatch, "http://@/x", **environment).text == "ok"
    assert server.lines == ["GET /x"]


def test_a_proxy_that_is_not_there_is_a_broken_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(Server(), monkeypatch, "http://@/x", HTTP_PROXY="http://127.0.0.1:1") is Reason.CONNECTION


# ---- errors


def caused(error: Exception, cause: Exception, *, is_explicit: bool = True) -> Exception:
    """`error` as it is when `cause` is some layers below."""
    middle = OSError("in between")
    if is_explicit:
        error.__cause__, middle.__cause__ = middle, cause
    else:
        error.__context__, middle.__context__ = middle, cause
    return error


UNKNOWN = socket.gaierror(-2, "Name or service not known")
UNTRUSTED = ssl.SSLCertVerificationError(1, "self-signed")


@pytest.mark.parametrize(
    ("error", "reason", "detail"),
    [
        (httpx.InvalidURL("no host"), Reason.HTTP_ERROR, "not a URL that can be requested: no host"),
        (httpx.UnsupportedProtocol("ftp"), Reason.HTTP_ERROR, "not a URL that can be requested: ftp"),
        (ValueError("no number"), Reason.CONNECTION, "no number"),  # met while an answer was read
        (caused(httpx.ConnectError("x"), UNKNOWN), Reason.DNS, "x"),
        (caused(httpx.ConnectError("x"), UNKNOWN, is_explicit=False), Reason.DNS, "x"),
        (caused(httpx.ConnectError("x"), UNTRUSTED), Reason.TLS, "x"),
        (caused(httpx.ReadError("x"), UNTRUSTED, is_explicit=False), Reason.TLS, "x"),
        (httpx.ConnectTimeout(""), Reason.TIMEOUT, "no connection in time"),
        (httpx.ReadTimeout(""), Reason.TIMEOUT, "no byte in time"),
        (httpx.WriteTimeout(""), Reason.TIMEOUT, "no byte in time"),
        (httpx.ReadError(""), Reason.CONNECTION, "ReadError"),
        (httpx.RemoteProtocolError("peer left"), Reason.CONNECTION, "peer left"),
        (httpx.ProxyError("403 Forbidden"), Reason.CONNECTION, "403 Forbidden"),
        (ConnectionResetError(104, "reset"), Reason.CONNECTION, "[Errno 104] reset"),
    ],
    ids=repr,
)
def test_an_error_has_one_reason_and_words(error: Exception, reason: Reason, detail: str) -> None:
    failure = failure_of(error)
    assert (failure.reason, failure.detail) == (reason, detail)
    assert (failure.http_status, failure.retry_after_s) == (None, None)
