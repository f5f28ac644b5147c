"""An HTTP client set up as every transfer here needs it, and what its errors mean.

This is the one place where an exception of the layers below becomes a `Reason`.
"""

import socket
import ssl
from collections.abc import Iterator

import httpx

from oidl import __version__
from oidl.model import Failure, Reason
from oidl.settings import Transfers

USER_AGENT = f"oidl/{__version__} (Open Images dataset downloader)"

_HEADERS = {
    "User-Agent": USER_AGENT,
    "Accept": "*/*",
    "Accept-Encoding": "identity",  # sizes and MD5s are of the bytes as stored, never of a coding of them
}


def tls_context() -> ssl.SSLContext:
    """What verifies certificates, by `SSL_CERT_FILE` or `SSL_CERT_DIR` where set.

    One for all clients, as making it costs 20 ms.
    """
    return httpx.create_ssl_context()


def new_client(transfers: Transfers, tls: ssl.SSLContext, *, connections: int = 1) -> httpx.AsyncClient:
    """A keep-alive client that opens at most `connections`, and never follows a redirect by itself.

    The read timeout is per read, so a body that drips never trips it: whoever
    uses the client sets a total deadline around it too.
    """
    return httpx.AsyncClient(
        verify=tls,
        headers=_HEADERS,
        follow_redirects=False,
        timeout=httpx.Timeout(transfers.stall_timeout_s, connect=transfers.connect_timeout_s, pool=None),
        limits=httpx.Limits(
            max_connections=connections,
            # The same number: with fewer kept alive, httpcore closes connections that are wanted again.
            max_keepalive_connections=connections,
            keepalive_expiry=60.0,
        ),
    )


def failure_of(error: Exception) -> Failure:
    """The `Failure` that a failed transfer comes to; `error` is httpx's or the system's."""
    causes = list(_causes(error))
    detail = str(error) or type(error).__name__
    if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError)):  # ValueError: IDNA's, of "a..b"
        return Failure(Reason.HTTP_ERROR, f"not a URL that can be asked for: {detail}")
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return Failure(Reason.DNS, detail, is_unreachable=True)
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return Failure(Reason.TLS, detail, is_unreachable=isinstance(error, httpx.ConnectError))
    if isinstance(error, httpx.ConnectTimeout):
        return Failure(Reason.TIMEOUT, "no connection in time", is_unreachable=True)
    if isinstance(error, httpx.TimeoutException):
        return Failure(Reason.TIMEOUT, "no byte in time")
    return Failure(Reason.CONNECTION, detail, is_unreachable=isinstance(error, (httpx.ConnectError, httpx.ProxyError)))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
