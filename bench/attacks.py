"""Hostile clients of the page, without its token: `python -m bench.attacks NAME PORT SECONDS`.

Each is a separate process at the lowest priority, so the cost to a run is that of the page.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])  # and empty settings
_HEADERS, _RST_STREAM, _CONTINUATION = 1, 3, 9
_END_STREAM, _END_HEADERS = 1, 4
_GET = b"\x82\x84\x86\x41\x09127.0.0.1"  # HPACK: GET / http, :authority
_FRAME_BYTES = 16_384

Attack = Callable[[int, float], None]


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 3)


def _drain(client: socket.socket) -> None:
    with suppress(OSError):
        while client.recv(65536):
            pass


def _repeat(once: Attack, port: int, end: float) -> None:
    """Repeats `once`, whatever the server does."""
    while time.monotonic() < end:
        try:
            once(port, end)
        except OSError:
            time.sleep(0.05)


def _pipeline(target: str, port: int, end: float) -> None:
    """Sends requests without waiting for the answers, which are read and thrown away."""
    with _connect(port) as client:
        threading.Thread(target=_drain, args=(client,), daemon=True).start()
        requests = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode() * 50
        while time.monotonic() < end:
            client.sendall(requests)


def _reset_streams(port: int, end: float) -> None:
    """Sends HTTP/2 requests and resets them at once."""
    with _connect(port) as client:
        threading.Thread(target=_drain, args=(client,), daemon=True).start()
        client.sendall(_PREFACE)
        for first in range(1, 10_000, 100):
            frames = []
            for stream in range(first, first + 100, 2):
                frames.append(_frame(_HEADERS, _END_STREAM | _END_HEADERS, stream, _GET))
                frames.append(_frame(_RST_STREAM, 0, stream, bytes([0, 0, 0, 8])))
            client.sendall(b"".join(frames))
            if time.monotonic() > end:
                break


def _http2_cookie(port: int, end: float) -> None:
    """Sends one HTTP/2 request with 55 kB of backslashes in its cookie; CONTINUATION frames carry the rest."""
    value = b'oidl="' + b"\\" * 55_000
    size, length = [], len(value) - 127
    while length >= 128:
        size.append(length % 128 + 128)
        length //= 128
    block = _GET + b"\x00\x06cookie\x7f" + bytes([*size, length]) + value
    pieces = [block[at : at + _FRAME_BYTES] for at in range(0, len(block), _FRAME_BYTES)]
    with _connect(port) as client:
        client.sendall(_PREFACE)
        for at, piece in enumerate(pieces):
            kind, flags = (_CONTINUATION, 0) if at else (_HEADERS, _END_STREAM)
            client.sendall(_frame(kind, flags | (_END_HEADERS if piece is pieces[-1] else 0), 1, piece))
        client.settimeout(max(0.1, end - time.monotonic()))
        _drain(client)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _http1_cookie(port: int, end: float) -> None:
    """Sends requests with 14 kB of backslashes in their cookies, one after another."""
    with _connect(port) as client:
        request = b'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: oidl="' + b"\\" * 14_000 + b"\r\n\r\n"
        while time.monotonic() < end:
            client.sendall(request)
            if not client.recv(65536):
                return


def _drip(port: int, end: float) -> None:
    """Sends a request whose head never ends: a line every four seconds."""
    with _connect(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        while time.monotonic() < end:
            client.sendall(b"X-Drip: 1\r\n")
            client.settimeout(4)
            with suppress(TimeoutError):
                if not client.recv(4096):
                    return


def _churn(port: int, end: float) -> None:
    """Opens connections that request nothing."""
    while time.monotonic() < end:
        _connect(port).close()


def _never_read(port: int, end: float) -> None:
    """Follows the run and reads nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with client:
        client.connect(("127.0.0.1", port))
        client.sendall(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        while time.monotonic() < end:
            time.sleep(0.1)
            client.send(b"\r\n")  # fails once the server has cut it off


ATTACKS: dict[str, tuple[int, Attack]] = {
    "1 connection, pipelined GET /": (1, partial(_pipeline, "/")),
    "4 connections, pipelined GET /": (4, partial(_pipeline, "/")),
    "4 connections, pipelined GET /api/snapshot": (4, partial(_pipeline, "/api/snapshot")),
    "4 connections, pipelined GET /api/examples": (4, partial(_pipeline, "/api/examples")),
    "4 connections, pipelined 404s": (4, partial(_pipeline, "/none")),
    "2 connections of HTTP/2, open and reset": (2, _reset_streams),
    "2 connections of HTTP/2, cookies of 55 kB": (2, _http2_cookie),
    "4 connections, cookies of 14 kB": (4, _http1_cookie),
    "256 connections that drip": (256, _drip),
    "4 threads that connect and go": (4, _churn),
    "64 clients that never read": (64, _never_read),
}
"""By name: the number of threads, and what each of them repeats, given the port and the (monotonic) end."""


def main() -> None:
    """Attacks for the given number of seconds."""
    name, port, seconds = sys.argv[1:]
    os.nice(19)
    count, attack = ATTACKS[name]
    end = time.monotonic() + float(seconds)
    for _ in range(count):
        threading.Thread(target=_repeat, args=(attack, int(port), end), daemon=True).start()
    time.sleep(float(seconds))
    os._exit(0)


if __name__ == "__main__":
    main()
