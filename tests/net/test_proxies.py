"""The proxies of the environment: `NO_PROXY` as curl reads it, and unreadable values skipped."""

import pytest

from oidl.net.proxies import Proxies, shown_proxy

PROXY = "http://proxy:3128"


def is_direct(no_proxy: str, host: str, port: int | None = None) -> bool:
    return Proxies.of({"http_proxy": PROXY, "no_proxy": no_proxy}).proxy_for("http", host, port) is None


@pytest.mark.parametrize(
    ("no_proxy", "host"),
    [
        ("example.org", "example.org"),
        ("example.org", "www.example.org"),
        (".example.org", "example.org"),
        (".example.org", "www.example.org"),
        ("*.example.org", "www.example.org"),
        ("EXAMPLE.org.", "www.Example.ORG"),
        ("a b,example.org", "example.org"),
        ("a  ,  example.org", "example.org"),
        ("*", "example.org"),
        ("a,*", "10.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("localhost,127.0.0.0/8", "127.0.0.1"),
        ("10.1.2.3/8", "10.9.9.9"),
        ("::1", "::1"),
        ("[::1]", "[::1]"),
        ("::1/128", "::1"),
        ("[::1]/128", "::1"),
        ("fd07:b51a:cc66:f0::/64", "fd07:b51a:cc66:f0::7"),
        ("fd07:b51a:cc66:f0::/64,[,10.0.0.0/99,://,:x,example.org", "example.org"),
    ],
)
def test_a_host_that_no_proxy_covers_is_asked_directly(no_proxy: str, host: str) -> None:
    assert is_direct(no_proxy, host)


@pytest.mark.parametrize(
    ("no_proxy", "host"),
    [
        ("", "example.org"),
        ("example.org", "anexample.org"),
        ("example.org", "example.org.evil"),
        ("10.0.0.0/8", "11.0.0.1"),
        ("10.0.0.0/8", "ten.example.org"),
        ("10.0.0.0/99", "10.0.0.1"),
        ("::1", "::2"),
        ("1", "127.0.0.1"),
        (".", "example.org"),
        (",, ,", "example.org"),
    ],
)
def test_any_other_host_is_asked_through_the_proxy(no_proxy: str, host: str) -> None:
    assert not is_direct(no_proxy, host)


def test_a_port_is_part_of_an_entry_where_it_has_one() -> None:
    assert is_direct("example.org:8080", "example.org", 8080)
    assert is_direct("[::1]:8080", "::1", 8080)
    assert is_direct("127.0.0.1:80", "127.0.0.1")
    assert not is_direct("example.org:8080", "example.org", 8081)
    assert not is_direct("example.org:8080", "example.org")


def test_the_proxy_is_that_of_the_scheme_and_the_lower_case_counts() -> None:
    proxies = Proxies.of({"HTTP_PROXY": "upper", "http_proxy": "lower:1", "ALL_PROXY": "socks5://all:2"})
    assert proxies.proxy_for("http", "x", None) == "http://lower:1"
    assert proxies.proxy_for("https", "x", None) == "socks5://all:2"
    assert proxies.urls == {"http://lower:1", "socks5://all:2"}
    assert Proxies.of({}).proxy_for("http", "x", None) is None


def test_a_client_of_a_cgi_program_does_not_choose_the_proxy() -> None:
    assert Proxies.of({"HTTP_PROXY": "evil", "REQUEST_METHOD": "GET"}).urls == frozenset()


def test_a_proxy_is_shown_without_its_password() -> None:
    assert shown_proxy("http://me:secret@proxy:3128") == "http://proxy:3128"
