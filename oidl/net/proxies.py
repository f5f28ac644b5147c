"""Chooses the proxy of a request from the environment variables that curl reads, as curl does. Pure.

`NO_PROXY` is a list of names, addresses and networks, split at commas and
blanks. A name stands for itself and all names below it, with or without a
leading dot; `*` stands for every host. Unreadable entries are ignored, because
container tools write what they like there. Names are not resolved to find out
whether they are in a network.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}
"""The default port of each scheme that oidl speaks."""

_ENTRY = re.compile(r"(?:(\w+)://)?(?:\[([^\]]*)\]|([^:]*))(?::([0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies for `http` and `https` URLs, None if there is none, and the entries of `NO_PROXY`."""

    http: str | None = None
    https: str | None = None
    exceptions: tuple[str, ...] = ()

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Proxies":
        """The proxies in `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, in lower or upper case.

        Lower case takes precedence. In a CGI program `HTTP_PROXY` is not read, because a
        client can set it with a header named `Proxy`.
        """

        def value(name: str) -> str:
            is_forgeable = name == "http_proxy" and "REQUEST_METHOD" in environment
            return environment.get(name) or ("" if is_forgeable else environment.get(name.upper())) or ""

        def proxy(name: str) -> str | None:
            url = (value(name) or value("all_proxy")).strip()
            return (url if "://" in url else f"http://{url}") if url else None

        exceptions = tuple(entry.lower() for entry in re.split(r"[\s,]+", value("no_proxy")) if entry)
        return cls(proxy("http_proxy"), proxy("https_proxy"), exceptions)

    @property
    def urls(self) -> frozenset[str]:
        """The URLs of all proxies."""
        return frozenset(url for url in (self.http, self.https) if url)

    def proxy_for(self, scheme: str, host: str, port: int | None) -> str | None:
        """The URL of the proxy for a URL with these parts, None for a direct connection."""
        proxy = self.https if scheme == "https" else self.http
        if proxy is None:
            return None
        host = host.strip("[]").rstrip(".").lower()
        port = port or PORTS.get(scheme)
        return None if any(_covers(entry, scheme, host, port) for entry in self.exceptions) else proxy


def shown_proxy(url: str) -> str:
    """`url` as it may be shown: without user and password. Raises `ValueError` if it is no URL."""
    return urlsplit(url)._replace(netloc=urlsplit(url).netloc.rpartition("@")[2]).geturl()


def _covers(entry: str, scheme: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    address = _address(host)
    if address is not None and (is_in := _is_in_network(address, entry.strip("[]"))) is not None:
        return is_in
    parts = _ENTRY.fullmatch(entry)
    if parts is None or (parts[1] not in (None, "all", scheme)) or (parts[4] and int(parts[4]) != port):
        return False
    name = parts[2] or parts[3].removeprefix("*").strip(".")
    if address is not None:
        return _is_in_network(address, name) or False
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _is_in_network(address: IPv4Address | IPv6Address, text: str) -> bool | None:
    """Whether `address` is the address or is in the network `text`; None if `text` is neither of these."""
    try:
        return address in ip_network(text.replace("]/", "/"), strict=False)
    except ValueError:
        return None
