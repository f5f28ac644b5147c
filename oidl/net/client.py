"""The HTTP client of all transfers, and the meaning of its errors.

This is the only place where an exception of the layers below becomes a `Reason`.
"""

import base64
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import httpcore
import httpx

from oidl import __version__
from oidl.errors import UsageError
from oidl.model import Blame, Failure, Reason
from oidl.net.descriptors import causes
from oidl.net.direct import HttpRequest
from oidl.net.headers import is_private_host
from oidl.net.opening import Opening
from oidl.net.proxies import Proxies
from oidl.net.transport import IS_DIRECT, Transport, TrickleError
from oidl.net.wire import Network
from oidl.settings import NetworkSettings
from oidl.text import shortened

_LAST_PORT = 65_535

TRANSFER_ERRORS = (httpx.HTTPError, httpx.InvalidURL, OSError)
"""The exceptions that a transfer raises for faults of a server or a network."""

_KEEPALIVE_S = 60.0

USER_AGENT = f"oidl/{__version__} (Open Images dataset downloader)"


class PrivateRedirectError(httpx.ConnectError):
    """A redirect by a public server leads to a name with a private address."""


class Client:
    """Sends requests over one connection, one at a time. It keeps no cookies and follows no redirects.

    Answers are `httpx.Response`s; httpx's own client, which does more than is needed here, takes twice the CPU for a
    request.
    """

    def __init__(self, transfers: NetworkSettings, transport: Transport) -> None:
        self._transport = transport
        self._connect_timeout_s = transfers.connect_timeout_s
        self._tls_timeout_s = transfers.tls_timeout_s
        self.timeouts = {
            "connect": transfers.connect_timeout_s,
            "read": transfers.stall_timeout_s,
            "write": transfers.stall_timeout_s,
            "pool": None,
        }
        self._headers = [
            (b"User-Agent", (transfers.user_agent or USER_AGENT).encode("ascii")),
            (b"Accept", b"*/*"),
            (b"Accept-Encoding", b"identity"),  # published sizes and MD5s are those of the uncoded bytes
            (b"Connection", b"keep-alive"),
        ]

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connection."""
        await self._transport.aclose()

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] = MappingProxyType({}),
        *,
        is_public_only: bool = False,
        on_sent: Callable[[], None] = lambda: None,
    ) -> AsyncIterator[httpx.Response]:
        """The answer to a request for `url`, with its body still unread.

        With `is_public_only`, for a redirect by a public server, it makes no connection to a private address.
        It calls `on_sent` once there is a connection for the request.
        Raises `TRANSFER_ERRORS`: `httpx.InvalidURL` for every URL that cannot be requested,
        `httpx.ConnectTimeout` also if the tunnel of a proxy or the TLS handshake took too long.
        """
        try:
            address = httpx.URL(url)
            if not address.host:  # `host` is decoded here, which may raise
                raise ValueError("it names no host")
            if address.port is not None and not 0 < address.port <= _LAST_PORT:
                raise ValueError(f"there is no port {shortened(str(address.port), 20)}")
            fields = [(b"Host", address.netloc), *self._headers, *_login(address)]
        except ValueError as error:
            raise httpx.InvalidURL(str(error)) from error
        fields += [(name.encode(), value.encode()) for name, value in headers.items()]
        check = _refuse_private if is_public_only and self._transport.is_direct(address) else _accept
        opening = Opening(self._connect_timeout_s, self._tls_timeout_s, check=check, on_sent=on_sent)
        response = await self._transport.answer(HttpRequest(method, address, fields, self.timeouts), opening)
        try:
            yield response
        finally:
            await response.aclose()


def _login(url: httpx.URL) -> list[tuple[bytes, bytes]]:
    """The header for the user and the password in `url`, if it has any."""
    if not (url.username or url.password):
        return []
    return [(b"Authorization", b"Basic " + base64.b64encode(f"{url.username}:{url.password}".encode()))]


def is_from_public(url: str, response: httpx.Response) -> bool:
    """Whether a server of the public internet sent `response` for `url`, as far as can be seen."""
    if is_private_host(httpx.URL(url).host):
        return False
    peer = _peer(response.extensions["network_stream"]) if response.extensions[IS_DIRECT] else None
    return peer is None or not is_private_host(peer)


def _peer(stream: Any) -> str | None:
    try:
        address = stream.get_extra_info("server_addr")
    except OSError:  # it is closed
        return None
    return str(address[0]) if address else None


def _refuse_private(stream: httpcore.AsyncNetworkStream) -> None:
    peer = _peer(stream)
    if peer is not None and is_private_host(peer):
        raise PrivateRedirectError(f"redirect to a host at {peer}, a private address, which is not followed")


def _accept(stream: httpcore.AsyncNetworkStream) -> None:
    """Accepts any host."""


def tls_context() -> ssl.SSLContext:
    """The TLS context for all clients, with the certificates of `SSL_CERT_FILE` or `SSL_CERT_DIR` if set.

    All clients share it, and it is created again only if another file is set or its
    content changes, because that takes 20 ms. Raises `UsageError` if those certificates
    cannot be read.
    """
    file, directory = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    try:
        if directory and not file:
            os.listdir(directory)  # OpenSSL does not report a missing directory
            return httpx.create_ssl_context()  # reads nothing yet
        state = os.stat(file) if file else None
        return _context_with(file, (state.st_mtime_ns, state.st_size) if state else None)
    except OSError as error:  # ssl.SSLError is one
        name = "SSL_CERT_FILE" if file else "SSL_CERT_DIR"
        why = "no certificates in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise UsageError(
            f"{name}={file or directory} cannot be used: {why}", hint="set it to the certificates to trust"
        ) from error


@lru_cache(maxsize=1)
def _context_with(file: str | None, state: tuple[int, int] | None) -> ssl.SSLContext:
    """The context with the certificates of `file` in this `state`, or with those of certifi."""
    return httpx.create_ssl_context()


def new_client(
    transfers: NetworkSettings,
    tls: ssl.SSLContext,
    *,
    network: httpcore.AsyncNetworkBackend | None = None,
) -> Client:
    """A client that keeps its connection alive, and uses the proxies of the environment.

    The read timeout is per read, and a body that drips never triggers it, so
    the caller must also set a total deadline. `network` opens the connections, in
    tests without a real network. Raises `UsageError` for a proxy that cannot be used.
    """
    try:
        transport = Transport(Proxies.of(os.environ), tls, network or Network(), keepalive_s=_KEEPALIVE_S)
    except (ValueError, ImportError, RuntimeError, httpx.InvalidURL) as error:  # the middle two: for a SOCKS proxy
        raise UsageError(
            f"a proxy from the environment cannot be used: {error}",
            hint="check http_proxy, https_proxy, all_proxy",
        ) from error
    return Client(transfers, transport)


def check_environment(transfers: NetworkSettings) -> None:
    """Raises `UsageError` if the environment names proxies or certificates that cannot be used."""
    new_client(transfers, tls_context())


def failure_of(error: Exception) -> Failure:
    """The `Failure` for a failed transfer; `error` is one of `TRANSFER_ERRORS`.

    Only an error from building the request or resolving the name is about the URL, and permanent. An unreadable answer,
    whatever its error, is a broken connection.
    """
    errors = list(causes(error))
    detail = str(error) or type(error).__name__
    if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol)):
        return Failure(Reason.HTTP_ERROR, f"not a URL that can be requested: {detail}")
    if isinstance(error, PrivateRedirectError):
        return Failure(Reason.HTTP_ERROR, detail)
    if isinstance(error, TrickleError):
        return Failure(Reason.TOO_SLOW, detail)
    if any(isinstance(cause, socket.gaierror) for cause in errors):
        return Failure(Reason.DNS, detail, blame=Blame.HOST)
    if any(isinstance(cause, ssl.SSLError) for cause in errors):
        return Failure(Reason.TLS, detail, blame=Blame.HOST if isinstance(error, httpx.ConnectError) else Blame.SERVER)
    if isinstance(error, httpx.ConnectTimeout):
        return Failure(Reason.TIMEOUT, str(error) or "no connection in time", blame=Blame.HOST)
    if isinstance(error, httpx.TimeoutException):
        return Failure(Reason.TIMEOUT, "no byte in time")
    is_unreachable = isinstance(error, (httpx.ConnectError, httpx.ProxyError))
    return Failure(Reason.CONNECTION, detail, blame=Blame.HOST if is_unreachable else Blame.SERVER)
