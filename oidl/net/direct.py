"""A connection of httpcore without a pool around it, which would cost a sixth of the CPU time of a request."""

import ssl

import httpcore


class HttpConnection:
    """Sends requests to one host at a time, one request after the other, over a connection that is kept alive.

    Another host, a closed connection, or one that was idle for `keepalive_s`, means a new connection.
    """

    def __init__(self, tls: ssl.SSLContext, network: httpcore.AsyncNetworkBackend, keepalive_s: float) -> None:
        self._tls = tls
        self._network = network
        self._keepalive_s = keepalive_s
        self._connection: httpcore.AsyncHTTPConnection | None = None

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """The answer to `request`, with its body still unread. Raises what httpcore raises."""
        if request.url.scheme not in (b"http", b"https"):
            scheme = request.url.scheme.decode("ascii")
            raise httpcore.UnsupportedProtocol(f"Request URL has an unsupported protocol '{scheme}://'.")
        connection = self._connection
        if connection is None or not _can_take(connection, request.url.origin):
            await self.aclose()
            connection = self._connection = httpcore.AsyncHTTPConnection(
                request.url.origin,
                ssl_context=self._tls,
                keepalive_expiry=self._keepalive_s,
                network_backend=self._network,
            )
        return await connection.handle_async_request(request)

    async def aclose(self) -> None:
        """Closes the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.aclose()


def _can_take(connection: httpcore.AsyncHTTPConnection, origin: httpcore.Origin) -> bool:
    return connection.can_handle_request(origin) and connection.is_available() and not connection.has_expired()
