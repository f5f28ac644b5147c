"""An HTTP client set up as every transfer here needs it, and what its errors mean.

This is the one place where an exception of the layers below becomes a `Reason`.
"""

import math
import os
import socket
import ssl
from typing import Any

import httpcore
import httpx
import trio

from oidl import __version__
from oidl.errors import UsageError
from oidl.model import Failure, Reason
from oidl.net.descriptors import causes
from oidl.net.headers import is_private_host
from oidl.net.proxies import Proxies
from oidl.net.transport import IS_DIRECT, Transport, TrickleError
from oidl.net.wire import Network
from oidl.settings import Transfers

TRANSFER_ERRORS = (httpx.HTTPError, httpx.InvalidURL, OSError)
"""All that a transfer raises for what a server or a network does."""

_KEEPALIVE_S = 60.0

USER_AGENT = f"oidl/{__version__} (Open Images dataset downloader)"


PUBLIC_ONLY = "oidl_public_only"
"""A request's extension: it follows a redirect by a public server, so no connection to a private address is made."""


class PrivateRedirectError(httpx.ConnectError):
    """A redirect by a public server led to a name that has a private address."""


class _NoCookies(httpx.Cookies):
    """Takes nobody's: they would go to other ports, which are other servers, and to sister hosts."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Looks for none, which saves the search that httpx makes in every answer."""


class Client(httpx.AsyncClient):
    """An httpx client that keeps no cookies, and in which the TLS handshake has a time limit of its own.

    That is within the time limit of connecting; httpx gives both the same, one after the other.
    """

    cookies = _NoCookies()  # type: ignore[override]  # a property there

    def __init__(self, transfers: Transfers, transport: Transport, **named: Any) -> None:
        self._network = transport
        self._connect_timeout_s = transfers.connect_timeout_s
        self._tls_timeout_s = transfers.tls_timeout_s
        super().__init__(transport=transport, **named)

    def build_request(self, method: str, url: httpx.URL | str, **named: Any) -> httpx.Request:
        """As httpx's; raises `httpx.InvalidURL` for every URL that cannot be asked for, and nothing else."""
        try:
            return super().build_request(method, url, **named)
        except ValueError as error:
            raise httpx.InvalidURL(str(error)) from error

    def _build_redirect_request(self, request: httpx.Request, response: httpx.Response) -> httpx.Request:
        return request  # httpx makes one whether or not it is followed, and raises errors for where it leads

    async def send(self, request: httpx.Request, **named: Any) -> httpx.Response:
        """As httpx's; raises `httpx.ConnectTimeout` too where only the handshake took too long."""
        is_public_only = PUBLIC_ONLY in request.extensions and self._network.is_direct(request.url)
        if request.url.scheme != "https" and not is_public_only:
            return await super().send(request, **named)
        with trio.CancelScope() as handshake:
            connects_at = trio.current_time()

            async def watch(event: str, info: Any) -> None:  # httpcore calls its request extension "trace"
                nonlocal connects_at
                if is_public_only and event.endswith("connect_tcp.complete"):
                    await _refuse_private(info["return_value"])
                if event.endswith("connect_tcp.started"):
                    connects_at = trio.current_time()
                elif event.endswith("start_tls.started"):
                    ends_at = trio.current_time() + self._tls_timeout_s
                    handshake.deadline = min(ends_at, connects_at + self._connect_timeout_s)
                elif event.endswith("start_tls.complete"):
                    handshake.deadline = math.inf

            request.extensions = {**request.extensions, "trace": watch}
            return await super().send(request, **named)
        raise httpx.ConnectTimeout("no TLS handshake in time", request=request)


def is_from_public(response: httpx.Response) -> bool:
    """Whether a server of the public internet sent `response`, as far as can be told; see `PUBLIC_ONLY`."""
    if is_private_host(response.request.url.host):
        return False
    peer = _peer(response.extensions["network_stream"]) if response.extensions[IS_DIRECT] else None
    return peer is None or not is_private_host(peer)


def _peer(stream: Any) -> str | None:
    try:
        address = stream.get_extra_info("server_addr")
    except OSError:  # it is closed
        return None
    return str(address[0]) if address else None


async def _refuse_private(stream: Any) -> None:
    peer = _peer(stream)
    if peer is not None and is_private_host(peer):
        await stream.aclose()
        raise PrivateRedirectError(f"redirect to a host at {peer}, a private address, which is not followed")


def tls_context() -> ssl.SSLContext:
    """What verifies certificates, by `SSL_CERT_FILE` or `SSL_CERT_DIR` where set.

    One for all clients, as making it costs 20 ms. Raises `UsageError` if what
    is named there cannot be read.
    """
    file, directory = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    try:
        context = httpx.create_ssl_context()
        if directory and not file:
            os.listdir(directory)  # OpenSSL would not say that it is not there
    except OSError as error:  # ssl.SSLError is one
        name = "SSL_CERT_FILE" if file else "SSL_CERT_DIR"
        why = "no certificates in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise UsageError(
            f"{name}={file or directory} cannot be used: {why}", hint="it is to name the certificates to trust"
        ) from error
    return context


def new_client(
    transfers: Transfers,
    tls: ssl.SSLContext,
    *,
    connections: int = 1,
    network: httpcore.AsyncNetworkBackend | None = None,
) -> Client:
    """A keep-alive client that opens at most `connections`, and never follows a redirect by itself.

    It keeps no cookies and goes through the proxies that the environment names.
    The read timeout is per read, so a body that drips never trips it: whoever
    uses the client sets a total deadline around it too. `network` opens the connections,
    for tests that have none. Raises `UsageError` for a proxy that cannot be used.
    """
    headers = {
        "User-Agent": transfers.user_agent or USER_AGENT,
        "Accept": "*/*",
        "Accept-Encoding": "identity",  # sizes and MD5s are of the bytes as stored, never of a coding of them
    }
    try:
        transport = Transport(
            Proxies.of(os.environ), tls, network or Network(), connections=connections, keepalive_s=_KEEPALIVE_S
        )
    except (ValueError, ImportError, RuntimeError, httpx.InvalidURL) as error:  # the middle two: for a SOCKS proxy
        raise UsageError(
            f"a proxy that the environment names cannot be used: {error}",
            hint="check http_proxy, https_proxy, all_proxy",
        ) from error
    return Client(
        transfers,
        transport=transport,
        trust_env=False,  # `Proxies` has read it
        headers=headers,
        follow_redirects=False,
        timeout=httpx.Timeout(transfers.stall_timeout_s, connect=transfers.connect_timeout_s, pool=None),
    )


def check_environment(transfers: Transfers) -> None:
    """Raises `UsageError` where the environment names proxies or certificates that cannot be used."""
    new_client(transfers, tls_context())


def failure_of(error: Exception) -> Failure:
    """The `Failure` that a failed transfer comes to; `error` is one of `TRANSFER_ERRORS`.

    Only what building the request or resolving its name raises is about the URL, and permanent. An answer that cannot
    be read, whatever error that makes, is a broken connection.
    """
    errors = list(causes(error))
    detail = str(error) or type(error).__name__
    if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol)):
        return Failure(Reason.HTTP_ERROR, f"not a URL that can be asked for: {detail}")
    if isinstance(error, PrivateRedirectError):
        return Failure(Reason.HTTP_ERROR, detail)
    if isinstance(error, TrickleError):
        return Failure(Reason.TOO_SLOW, detail)
    if any(isinstance(cause, socket.gaierror) for cause in errors):
        return Failure(Reason.DNS, detail, is_unreachable=True)
    if any(isinstance(cause, ssl.SSLError) for cause in errors):
        return Failure(Reason.TLS, detail, is_unreachable=isinstance(error, httpx.ConnectError))
    if isinstance(error, httpx.ConnectTimeout):
        return Failure(Reason.TIMEOUT, str(error) or "no connection in time", is_unreachable=True)
    if isinstance(error, httpx.TimeoutException):
        return Failure(Reason.TIMEOUT, "no byte in time")
    return Failure(Reason.CONNECTION, detail, is_unreachable=isinstance(error, (httpx.ConnectError, httpx.ProxyError)))
