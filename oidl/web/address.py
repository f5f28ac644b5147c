"""Where the page is served, and whom it is for.

On loopback it is for whoever uses this machine. Anywhere else it takes a random
token, which stands in the address that is printed.
"""

import errno
import ipaddress
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from oidl.errors import UsageError

PORT = 8640
"""The port of the page where none is named: the same each time, so that a tunnel to it can be written down."""

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_PORTS_TRIED = 100


@dataclass(frozen=True, slots=True)
class Address:
    """What is listened at, with the names that `Host` may have; `token` is None where none is needed.

    `taken` is the port that it would have had, if another program has that.
    """

    listener: socket.socket
    host: str
    port: int
    names: frozenset[str]
    token: str | None
    taken: int | None = None

    @property
    def url(self) -> str:
        """What to open in a browser."""
        return f"http://{self.host}:{self.port}/" + (f"?token={self.token}" if self.token else "")

    def is_for_us(self, host: str) -> bool:
        """Whether a `Host` header names this server.

        A page of another site can make a browser believe that its own name is
        this machine (DNS rebinding); it cannot do so with a number or a name of ours.
        """
        name, bracket, _ = host.lower().partition("]")
        name = name + bracket if bracket else name.partition(":")[0]
        return name in self.names or (self.token is not None and _is_number(name))


def listen(typed: str) -> Address:
    """Takes the port of `typed`: `HOST:PORT`, one of both, or nothing. Raises `UsageError` if that cannot be had.

    Without a port it is `PORT`, or the next one that is free; port 0 is any free one.
    """
    host, named = _parts(typed)
    listener = _taken(host, range(PORT, PORT + _PORTS_TRIED) if named is None else [named])
    bound, port = listener.getsockname()[:2]
    ip = ipaddress.ip_address(bound)
    shown = socket.gethostname() if ip.is_unspecified else host
    shown = f"[{shown}]" if ":" in shown else shown
    names = frozenset(name.lower() for name in (*_LOOPBACK, shown, socket.gethostname()))
    token = None if ip.is_loopback else secrets.token_urlsafe(16)
    return Address(listener, shown, port, names, token, PORT if named is None and port != PORT else None)


def _taken(host: str, ports: Sequence[int]) -> socket.socket:
    """A socket that listens at the first of `ports` that is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in ports:
        try:
            return socket.create_server((host, port), family=family, backlog=64)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or port == ports[-1]:
                raise UsageError(
                    f"the page cannot be served at {host}:{port}: {error.strerror or error}",
                    hint="choose another HOST:PORT",
                ) from error
    raise AssertionError


def _parts(typed: str) -> tuple[str, int | None]:
    """Host and port; None where no port was typed."""
    try:
        parts = urlsplit(f"//{typed}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = None, "", None
    if parts is None or parts.netloc != typed or "@" in typed:
        raise UsageError(f"{typed!r} is not a place for the page", hint=f"use HOST:PORT, like 127.0.0.1:{PORT}")
    if host.isdecimal() and port is None:
        return _parts(f":{host}")
    return host or _LOOPBACK[0], port


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
