"""The layer between httpcore and the network: every byte of an answer passes here before it is parsed.

httpcore reads interim answers and one-byte pieces for as long as a server sends
them, and each costs as much CPU as a whole image, in the one thread that all
transfers share. Therefore a head is complete, short and clean (`net.head`) before h11
sees it, interim answers are counted, and tiny reads are spread over time, so
that the kernel joins the bytes that arrive meanwhile.
"""

import math
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import trio

from oidl.net.descriptors import is_out_of_files
from oidl.net.head import MAX_HEAD_BYTES, head_end, read_head
from oidl.net.throttle import Throttle

MAX_INTERIM_ANSWERS = 10

_SMALL_READ_BYTES = 1000
_SMALL_READS_PER_S = 100.0
_SMALL_PORTION_BYTES = 2 * 1024
_LARGEST_PORTION_BYTES = 64 * 1024
_LAST_CHUNK = b"\r\n0\r\n\r\n"
_FILES_WAIT_S = 0.2
_REQUESTS = (b"GET ", b"HEAD ", b"CONNECT ")  # the handshake of a SOCKS proxy begins with none of these


class Wire(httpcore.AsyncNetworkStream):
    """A connection that answers each request with a head that h11 accepts, or with a `RemoteProtocolError`.

    h11 receives a chunked body in portions, small at first and doubled each time until `shrink_portions` is called:
    it parses all bytes that it has received, even after the transfer was given up.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._partial_head: bytearray | None = None  # the bytes of the expected head so far; None within a body
        self._interim = 0
        self._is_bodiless = False
        self._is_tunnel = False  # until there is an answer: whether a tunnel was requested
        self._remaining: int | None = None  # bytes of a body whose length is known
        self._portion = 0  # bytes that h11 receives at once; 0 for all that have arrived
        self._held_back = b""
        self._last_bytes = b""
        self._small_reads = Throttle(_SMALL_READS_PER_S)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """As in httpcore."""
        if buffer.startswith(_REQUESTS):
            self._partial_head, self._interim = bytearray(), 0
            self._is_bodiless = buffer.startswith(b"HEAD ")
            self._is_tunnel = buffer.startswith(b"CONNECT ")
        await self._stream.write(buffer, timeout)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """As in httpcore; the first bytes after a request are a whole head, and perhaps some of the body."""
        if self._partial_head is not None:
            return await self._read_head(max_bytes, timeout)
        return self._next_portion(self._held_back or await self._read(max_bytes, timeout))

    def shrink_portions(self) -> None:
        """Makes the portions for h11 small again, because the chunks are small."""
        if self._portion:
            self._portion = _SMALL_PORTION_BYTES

    async def _read_head(self, max_bytes: int, timeout: float | None) -> bytes:
        assert self._partial_head is not None
        head, searched = self._partial_head, 0
        while True:
            if end := head_end(head, searched):
                accepted = self._accepted(bytes(head[:end]))
                del head[:end]
                searched = 0
                if accepted:
                    self._partial_head = None
                    if head and self._is_tunnel:
                        # In a tunnel the client speaks first. httpcore would drop these bytes and start the handshake.
                        raise httpcore.ProxyError(
                            f"the answer is a page and not a tunnel: it starts with {bytes(head[:40])!r}"
                        )
                    return accepted + self._next_portion(bytes(head))
                continue
            if len(head) > MAX_HEAD_BYTES:
                raise httpcore.RemoteProtocolError(f"the headers are longer than {MAX_HEAD_BYTES // 1024} kB")
            if not b"HTTP/".startswith(head[:5]):
                raise httpcore.RemoteProtocolError(f"the answer is not HTTP: it starts with {bytes(head[:40])!r}")
            searched = len(head)
            data = await self._read(max_bytes, timeout)
            if not data:  # the connection ended within the head; h11 raises the error
                self._partial_head = None
                return bytes(head)
            head += data
            if not searched:
                del head[: len(head) - len(head.lstrip(b"\r\n"))]  # some servers send line ends after a body

    def _next_portion(self, data: bytes) -> bytes:
        """The part of `data` that h11 receives now; the rest is held back."""
        if self._portion:
            data, self._held_back = data[: self._portion], data[self._portion :]
            self._portion = min(2 * self._portion, _LARGEST_PORTION_BYTES)
        if self._remaining is not None:
            self._remaining -= len(data)
        self._last_bytes = (self._last_bytes + data[-len(_LAST_CHUNK) :])[-len(_LAST_CHUNK) :]
        return data

    async def aclose(self) -> None:
        """As in httpcore."""
        self._held_back = b""
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        """As in httpcore."""
        return Wire(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """As in httpcore, which does not reuse a connection that is readable while no request is pending."""
        if info == "is_readable" and self._has_surplus:
            return True
        return self._stream.get_extra_info(info)

    @property
    def _has_surplus(self) -> bool:
        """Whether more bytes came than the answer has: h11 would take them for the next answer, of another image."""
        if self._remaining is not None:
            return self._remaining != 0
        return bool(self._portion) and (bool(self._held_back) or self._last_bytes != _LAST_CHUNK)

    def _accepted(self, raw: bytes) -> bytes:
        """The head that h11 receives for `raw`; b"" for the head of an interim answer."""
        try:
            head = read_head(raw)
        except ValueError as error:
            raise httpcore.RemoteProtocolError(str(error)) from error
        if not 100 <= head.status < 200 or head.status == 101:
            is_bodiless = self._is_bodiless or head.status in (204, 304)
            self._is_tunnel = self._is_tunnel and 200 <= head.status < 300
            self._remaining = 0 if is_bodiless else head.length
            self._portion = _SMALL_PORTION_BYTES if head.is_chunked and not is_bodiless else 0
            self._last_bytes = b"\r\n"
            return head.data
        self._interim += 1
        if self._interim > MAX_INTERIM_ANSWERS:
            raise httpcore.RemoteProtocolError(f"more than {MAX_INTERIM_ANSWERS} interim answers (HTTP {head.status})")
        return b""

    async def _read(self, max_bytes: int, timeout: float | None) -> bytes:
        data = await self._stream.read(max_bytes, timeout)
        if 0 < len(data) < _SMALL_READ_BYTES:
            await self._small_reads.consume(1)
        return data


class Network(httpcore.AsyncNetworkBackend):
    """Opens connections with `network` (default: httpcore's for Trio), each as a `Wire`."""

    def __init__(self, network: httpcore.AsyncNetworkBackend | None = None) -> None:
        self._network = network or httpcore.TrioBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """As in httpcore; raises `UnsupportedProtocol` for a host name that is not valid for DNS.

        While this process may open no more files, it waits, at most as long as connecting may take.
        """
        ends_at = trio.current_time() + (math.inf if timeout is None else timeout)
        while True:
            try:
                return Wire(await self._network.connect_tcp(host, port, timeout, local_address, socket_options))
            except ValueError as error:  # from IDNA, for names such as "a..b"
                raise httpcore.UnsupportedProtocol(str(error)) from error
            except httpcore.ConnectError as error:
                # This is not the host's fault, and it passes when another transfer ends.
                if not is_out_of_files(error) or trio.current_time() > ends_at:
                    raise
                await trio.sleep(_FILES_WAIT_S)
