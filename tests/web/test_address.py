"""Where the page is served: on this machine only, unless the user says otherwise, and then with a token."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from oidl.errors import UsageError
from oidl.web.address import PORT, Address, listen


@pytest.fixture
def listening() -> Iterator[Callable[..., Address]]:
    taken: list[Address] = []

    def start(typed: str, **options: Any) -> Address:
        taken.append(listen(typed, **options))
        return taken[-1]

    yield start
    for address in taken:
        address.listener.close()


def a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("typed", ["", "127.0.0.1", "localhost"])
def test_without_a_port_it_is_the_same_one_each_time_or_the_next(listening: Callable[..., Address], typed: str) -> None:
    port = a_free_port()
    first, second = (listening(typed, default_ports=range(port, port + 100)) for _ in range(2))
    assert (first.port, first.occupied_port) == (port, None)
    assert second.port > first.port
    assert second.occupied_port == first.port


def test_when_no_port_is_free_it_says_so(listening: Callable[..., Address]) -> None:
    port = a_free_port()
    listening("", default_ports=[port])
    with pytest.raises(UsageError, match=r"cannot be served at .*in use"):
        listening("", default_ports=[port])


def test_the_usual_port_is_the_documented_one(listening: Callable[..., Address]) -> None:
    assert PORT == 8640
    assert listening("").port in range(PORT, PORT + 100)


@pytest.mark.parametrize("typed", ["localhost:0", "127.0.0.1:0", "0"])
def test_a_free_port_of_this_machine_alone_needs_no_token(listening: Callable[..., Address], typed: str) -> None:
    address = listening(typed)
    assert address.listener.getsockname() == ("127.0.0.1", address.port)
    assert address.port > 0
    assert address.token is None
    assert address.url == f"http://{'localhost' if typed.startswith('localhost') else '127.0.0.1'}:{address.port}/"


@pytest.mark.parametrize("form", ["{}", ":{}", "127.0.0.1:{}"])
def test_a_port_may_be_named(listening: Callable[..., Address], form: str) -> None:
    port = a_free_port()
    assert listening(form.format(port)).listener.getsockname() == ("127.0.0.1", port)


def test_anywhere_else_there_is_a_token_which_nobody_guesses(listening: Callable[..., Address]) -> None:
    first, second = listening("0.0.0.0:0"), listening("0.0.0.0:0")
    assert first.token != second.token
    assert len(first.token or "") >= 20
    assert first.url == f"http://{socket.gethostname()}:{first.port}/?token={first.token}"


def test_a_taken_port_that_was_named_is_refused(listening: Callable[..., Address]) -> None:
    port = listening("0").port
    with pytest.raises(UsageError, match=f"the page cannot be served at 127.0.0.1:{port}: .*in use"):
        listening(str(port))


@pytest.mark.parametrize(
    "typed",
    ["http://x", "127.0.0.1:99999", "127.0.0.1:x", "a b:80", "u@127.0.0.1:80", "[::1", "127.0.0.1:80/x", "1:2:3"],
)
def test_what_is_no_place_is_refused(listening: Callable[..., Address], typed: str) -> None:
    with pytest.raises(UsageError):
        listening(typed)


LOOPBACK = Address(socket.socket(), "127.0.0.1", 80, frozenset({"127.0.0.1", "localhost", "[::1]"}), None)
LOOPBACK.listener.close()
OPEN = Address(LOOPBACK.listener, "here", 80, frozenset({"127.0.0.1", "localhost", "[::1]", "here"}), "secret")


@pytest.mark.parametrize(
    ("host", "of_loopback", "of_open"),
    [
        ("127.0.0.1", True, True),
        ("127.0.0.1:80", True, True),
        ("LocalHost:99", True, True),
        ("[::1]:80", True, True),
        ("here:80", False, True),
        ("192.168.1.7:80", False, True),
        ("[fe80::1]", False, True),
        ("evil.example", False, False),
        ("127.0.0.1.evil.example:80", False, False),
        ("localhost.evil.example", False, False),
        ("", False, False),
    ],
)
def test_only_our_own_names_are_for_us(host: str, of_loopback: bool, of_open: bool) -> None:
    assert LOOPBACK.is_our_host(host) == of_loopback
    assert OPEN.is_our_host(host) == of_open
