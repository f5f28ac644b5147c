"""The transport of the HTTP client: directly or through a proxy, fairly, and with one family of errors.

`direct` asks without a proxy, httpcore through one. Any error of these, h11 or the parsers below becomes an `httpx`
error, which names the proxy if the proxy did not let the request through. A body in very many small pieces is slowed
down, because each piece costs CPU in the one thread that all transfers share.
"""

import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx
import trio

from oidl.net.direct import HttpConnection, HttpRequest
from oidl.net.opening import Opening
from oidl.net.proxies import Proxies, shown_proxy
from oidl.net.wire import Wire

_log = logging.getLogger(__name__)

_SMALL_PIECE_BYTES = 1000
_SMALL_PIECES_PER_S = 500  # of one transfer: each costs about 25 µs, so this is 1 % of a core
_TINY_PIECE_BYTES = 100
_PIECES_AT_ONCE = 50  # as many may have arrived together; they are passed on without a pause


IS_DIRECT = "oidl_is_direct"
"""An extension of answers: whether it came directly from its host, not through a proxy."""


class TrickleError(httpx.ReadError):
    """A body came in more tiny pieces than anything but malice or a broken server would send."""


class Transport:
    """One connection, opened by `network`, direct or through one of `proxies`. It serves one request at a time.

    Raises `ValueError`, `ImportError` or `RuntimeError` for a proxy that cannot be used.
    """

    def __init__(
        self,
        proxies: Proxies,
        tls: ssl.SSLContext,
        network: httpcore.AsyncNetworkBackend,
        *,
        keepalive_s: float,
    ) -> None:
        self._proxies = proxies
        common: dict[str, Any] = {
            "ssl_context": tls,
            "max_connections": 1,
            "max_keepalive_connections": 1,
            "keepalive_expiry": keepalive_s,
            "network_backend": network,
        }
        self._direct = HttpConnection(tls, network, keepalive_s)
        self._pools = {url: _proxy_pool(url, common) for url in proxies.urls}

    async def answer(self, request: HttpRequest, opening: Opening) -> httpx.Response:
        """The answer to `request`; `opening` watches the steps until it is sent.

        Raises `httpx.TransportError`; a `httpx.ConnectTimeout` names the step that took too long.
        """
        url = request.url
        proxy = self._proxies.proxy_for(url.scheme, url.host, url.port)
        response = None
        with _as_httpx_error(proxy, opening):
            try:
                with opening.time_limit:
                    response = await (
                        self._direct.answer(request, opening)
                        if proxy is None
                        else self._pools[proxy].handle_async_request(_for_pool(request, opening))
                    )
            finally:
                if response is None:
                    with trio.CancelScope(shield=True):  # closing an idle connection takes no time
                        await opening.aclose()
                        await (self._pools[proxy] if proxy else self._direct).aclose()
            if response is None:
                raise httpcore.ConnectTimeout(opening.lateness)
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions={**response.extensions, IS_DIRECT: proxy is None},
        )

    def is_direct(self, url: httpx.URL) -> bool:
        """Whether the host of `url` is reached without a proxy."""
        return self._proxies.proxy_for(url.scheme, url.host, url.port) is None

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._direct.aclose()
        for pool in self._pools.values():
            await pool.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        wire = self._response.extensions.get("network_stream")
        trickle: TrickleError | None = None
        count, total, started_at = 0, 0, trio.current_time()
        with _as_httpx_error():
            try:
                async for piece in self._response.stream:  # type: ignore[union-attr]  # it is an async one here
                    if trickle:
                        continue
                    if len(piece) < _SMALL_PIECE_BYTES:
                        count, total = count + 1, total + len(piece)
                        if count % _PIECES_AT_ONCE == 0:
                            await trio.lowlevel.checkpoint()
                            if isinstance(wire, Wire):
                                wire.shrink_portions()
                        if trio.current_time() - started_at >= 1:
                            count, total, started_at = 0, 0, trio.current_time()
                        elif count >= _SMALL_PIECES_PER_S:
                            # Wait out the second even before failing: a failure costs the sender nothing.
                            await trio.sleep_until(started_at + 1)
                            if total < count * _TINY_PIECE_BYTES:
                                trickle = TrickleError(f"{count} pieces of {total / count:.0f} bytes each in a second")
                                # Closing ends the iteration with an error; leaving it would leave generators behind.
                                await self._response.aclose()
                                continue
                    yield piece
            except Exception:
                if trickle is None:
                    raise
            if trickle:
                raise trickle

    async def aclose(self) -> None:
        with _as_httpx_error():
            await self._response.aclose()


def _for_pool(request: HttpRequest, opening: Opening) -> httpcore.Request:
    url = request.url
    return httpcore.Request(
        request.method,
        httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=request.headers,
        extensions={"timeout": request.timeouts, "trace": opening.watch},
    )


def _proxy_pool(url: str, common: dict[str, Any]) -> httpcore.AsyncConnectionPool:
    shown_proxy(url)  # raises what its messages would; httpx takes "http://[1"
    proxy = httpx.Proxy(url)
    address = httpcore.URL(
        scheme=proxy.url.raw_scheme, host=proxy.url.raw_host, port=proxy.url.port, target=proxy.url.raw_path
    )
    if proxy.url.scheme.startswith("socks"):
        return httpcore.AsyncSOCKSProxy(proxy_url=address, proxy_auth=proxy.raw_auth, **common)
    return httpcore.AsyncHTTPProxy(
        proxy_url=address,
        proxy_auth=proxy.raw_auth,
        proxy_ssl_context=common["ssl_context"] if proxy.url.scheme == "https" else None,
        **common,
    )


@contextmanager
def _as_httpx_error(proxy: str | None = None, opening: Opening | None = None) -> Iterator[None]:
    """A block in which every error becomes one of httpx; an error while `opening` through a proxy names the proxy."""
    try:
        yield
    except (httpx.HTTPError, OSError):
        raise
    except Exception as error:
        kind = getattr(httpx, type(error).__name__, None)
        text = str(error)
        if not (isinstance(kind, type) and issubclass(kind, httpx.TransportError)):
            # A parser below raised an error that it does not document.
            _log.warning("an answer could not be read", exc_info=error)
            kind, text = httpx.RemoteProtocolError, f"the answer cannot be read: {type(error).__name__}: {error}"
        if proxy and opening and not opening.is_over:
            kind, text = _of_proxy(kind, text or opening.lateness, proxy)
        raise kind(text) from error


def _of_proxy(kind: type[httpx.TransportError], text: str, proxy: str) -> tuple[type[httpx.TransportError], str]:
    """The error class and text for a connection that could not be opened through `proxy`."""
    if issubclass(kind, httpx.TimeoutException):
        kind = httpx.ConnectTimeout
    elif not issubclass(kind, (httpx.ConnectError, httpx.UnsupportedProtocol)):
        kind = httpx.ProxyError  # the proxy broke off, or sent something that is not an answer
    return kind, f"{text} (through the proxy {shown_proxy(proxy)})"
