"""Where the page is served, and who may open it.

On loopback, everyone who uses this machine may. Anywhere else a random token is
needed, which is part of the address that is printed.
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
"""The default port of the page: the same each time, so that a tunnel to it can be written down."""

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_PORTS = range(PORT, PORT + 100)


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens, and the names that a `Host` header may have; `token` is None if none is needed.

    `occupied_port` is the default port if another program uses it; None otherwise.
    """

    listener: socket.socket
    host: str
    port: int
    names: frozenset[str]
    token: str | None
    occupied_port: int | None = None

    @property
    def url(self) -> str:
        """What to open in a browser."""
        return f"http://{self.host}:{self.port}/" + (f"?token={self.token}" if self.token else "")

    def is_our_host(self, host: str) -> bool:
        """Whether a `Host` header names this server.

        A page of another site can make a browser believe that its own name is
        this machine (DNS rebinding). It cannot do so with a number or a name of ours.
        """
        name, bracket, _ = host.lower().partition("]")
        name = name + bracket if bracket else name.partition(":")[0]
        return name in self.names or (self.token is not None and _is_number(name))


def listen(typed: str, *, default_ports: Sequence[int] = _PORTS) -> Address:
    """Listens at `typed`: `HOST:PORT`, one of the two, or nothing. Raises `UsageError` if that is not possible.

    Without a port it is the first free one of `default_ports`; port 0 is any free one.
    """
    host, port = _parse(typed)
    listener = _listen_at(host, default_ports if port is None else [port])
    bound_host, bound_port = listener.getsockname()[:2]
    ip = ipaddress.ip_address(bound_host)
    shown = socket.gethostname() if ip.is_unspecified else host
    shown = f"[{shown}]" if ":" in shown else shown
    names = frozenset(name.lower() for name in (*_LOOPBACK, shown, socket.gethostname()))
    token = None if ip.is_loopback else secrets.token_urlsafe(16)
    occupied_port = default_ports[0] if port is None and bound_port != default_ports[0] else None
    return Address(listener, shown, bound_port, names, token, occupied_port)


def _listen_at(host: str, ports: Sequence[int]) -> socket.socket:
    """A socket that listens at the first free one of `ports`."""
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


def _parse(typed: str) -> tuple[str, int | None]:
    """Host and port; None if no port was typed."""
    try:
        parts = urlsplit(f"//{typed}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = None, "", None
    if parts is None or parts.netloc != typed or "@" in typed:
        raise UsageError(f"{typed!r} is not an address for the page", hint=f"use HOST:PORT, like 127.0.0.1:{PORT}")
    if host.isdecimal() and port is None:
        return _parse(f":{host}")
    return host or _LOOPBACK[0], port


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
