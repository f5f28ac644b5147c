"""What lies between httpcore and the network: every byte of an answer passes here before it is parsed.

httpcore reads interim answers and one-byte pieces for as long as a server sends
them, and each costs as much CPU as a whole image, in the one thread that all
transfers share. So a head is complete, short and clean (`net.head`) before h11
sees it, interim answers are counted, and tiny reads are spread over time, so
that the kernel joins what arrives meanwhile.
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
_REQUESTS = (b"GET ", b"HEAD ", b"CONNECT ")  # what a SOCKS proxy is asked first is none of these


class Wire(httpcore.AsyncNetworkStream):
    """A connection on which each request is followed by a head that h11 accepts, or by a `RemoteProtocolError`.

    Of a body in chunks h11 is given a little at first and twice as much each time, until `shrink_portions` is called:
    what it has been given it parses to the end, also when nobody wants it any more.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._awaited: bytearray | None = None  # what there is of the head that is to come; None within a body
        self._interim = 0
        self._is_bodiless = False
        self._is_tunnel = False  # or asked for, until there is an answer
        self._left: int | None = None  # bytes of a body whose length is known
        self._portion = 0  # bytes that h11 is given at once; 0 for all there are
        self._held_back = b""
        self._last_bytes = b""
        self._small_reads = Throttle(_SMALL_READS_PER_S)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """As httpcore's."""
        if buffer.startswith(_REQUESTS):
            self._awaited, self._interim = bytearray(), 0
            self._is_bodiless = buffer.startswith(b"HEAD ")
            self._is_tunnel = buffer.startswith(b"CONNECT ")
        await self._stream.write(buffer, timeout)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """As httpcore's; the first bytes after a request are a whole head, and some of the body perhaps."""
        if self._awaited is not None:
            return await self._read_head(max_bytes, timeout)
        return self._given(self._held_back or await self._read(max_bytes, timeout))

    def shrink_portions(self) -> None:
        """Gives h11 little at a time again: the chunks are small."""
        if self._portion:
            self._portion = _SMALL_PORTION_BYTES

    async def _read_head(self, max_bytes: int, timeout: float | None) -> bytes:
        assert self._awaited is not None
        head, searched = self._awaited, 0
        while True:
            if end := head_end(head, searched):
                accepted = self._accepted(bytes(head[:end]))
                del head[:end]
                searched = 0
                if accepted:
                    self._awaited = None
                    if head and self._is_tunnel:
                        # In a tunnel the client speaks first. httpcore drops what is here, and starts the handshake.
                        raise httpcore.ProxyError(
                            f"the answer is a page and not a tunnel: it starts with {bytes(head[:40])!r}"
                        )
                    return accepted + self._given(bytes(head))
                continue
            if len(head) > MAX_HEAD_BYTES:
                raise httpcore.RemoteProtocolError(f"the headers are longer than {MAX_HEAD_BYTES // 1024} kB")
            if not b"HTTP/".startswith(head[:5]):
                raise httpcore.RemoteProtocolError(f"the answer is not HTTP: it starts with {bytes(head[:40])!r}")
            searched = len(head)
            data = await self._read(max_bytes, timeout)
            if not data:  # the end; what there is will not do, and h11 says so
                self._awaited = None
                return bytes(head)
            head += data
            if not searched:
                del head[: len(head) - len(head.lstrip(b"\r\n"))]  # as some servers send after a body

    def _given(self, data: bytes) -> bytes:
        """As much of `data` as h11 is given now."""
        if self._portion:
            data, self._held_back = data[: self._portion], data[self._portion :]
            self._portion = min(2 * self._portion, _LARGEST_PORTION_BYTES)
        if self._left is not None:
            self._left -= len(data)
        self._last_bytes = (self._last_bytes + data[-len(_LAST_CHUNK) :])[-len(_LAST_CHUNK) :]
        return data

    async def aclose(self) -> None:
        """As httpcore's."""
        self._held_back = b""
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        """As httpcore's."""
        return Wire(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """As httpcore's, which does not use a connection again that is readable while nothing was asked for."""
        if info == "is_readable" and self._has_surplus:
            return True
        return self._stream.get_extra_info(info)

    @property
    def _has_surplus(self) -> bool:
        """Whether more came than the answer: h11 would take it for the next one's, which is another image's."""
        if self._left is not None:
            return self._left != 0
        return bool(self._portion) and (bool(self._held_back) or self._last_bytes != _LAST_CHUNK)

    def _accepted(self, raw: bytes) -> bytes:
        """The head as h11 is given it; b"" for that of an interim answer."""
        try:
            head = read_head(raw)
        except ValueError as error:
            raise httpcore.RemoteProtocolError(str(error)) from error
        if not 100 <= head.status < 200 or head.status == 101:
            is_bodiless = self._is_bodiless or head.status in (204, 304)
            self._is_tunnel = self._is_tunnel and 200 <= head.status < 300
            self._left = 0 if is_bodiless else head.length
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
    """Opens every connection of `network`, httpcore's own for Trio by default, as a `Wire`."""

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
        """As httpcore's; raises `UnsupportedProtocol` for a host that no name server can be asked for.

        Waits, as long as connecting may take, while this process may open no more files.
        """
        ends_at = trio.current_time() + (math.inf if timeout is None else timeout)
        while True:
            try:
                return Wire(await self._network.connect_tcp(host, port, timeout, local_address, socket_options))
            except ValueError as error:  # IDNA's, of "a..b"
                raise httpcore.UnsupportedProtocol(str(error)) from error
            except httpcore.ConnectError as error:
                # No fault of the host's, and over as soon as another transfer ends.
                if not is_out_of_files(error) or trio.current_time() > ends_at:
                    raise
                await trio.sleep(_FILES_WAIT_S)
