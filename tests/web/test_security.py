"""Requests that are refused at once, and the headers of every answer."""

import socket
import time
from dataclasses import replace

import pytest
import trio
from starlette.responses import PlainTextResponse

from oidl.web.address import Address
from oidl.web.security import SecurityMiddleware

ADDRESS = Address(socket.socket(), "127.0.0.1", 1, frozenset({"127.0.0.1", "localhost"}), None)
ADDRESS.listener.close()
APP = SecurityMiddleware(PlainTextResponse("the app"), ADDRESS)
WITH_TOKEN = SecurityMiddleware(PlainTextResponse("the app"), replace(ADDRESS, token="s3cret"))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_is_let_pass(ask, method: str) -> None:
    assert ask(APP, "/anything", method).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "X"])
def test_anything_else_is_not(ask, method: str) -> None:
    answer = ask(APP, "/", method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:1", ""])
def test_a_foreign_host_is_refused(ask, host: str) -> None:
    answer = ask(APP, "/", host=host)
    assert answer.status == 403
    assert answer.body != b"the app"


@pytest.mark.parametrize(
    ("site", "mode", "status"),
    [
        ("cross-site", "no-cors", 403),
        ("same-site", "cors", 403),
        ("cross-site", "navigate", 200),
        ("same-origin", "cors", 200),
        ("none", "navigate", 200),
    ],
)
def test_other_sites_may_lead_here_and_take_nothing(ask, site: str, mode: str, status: int) -> None:
    assert ask(APP, "/", sec_fetch_site=site, sec_fetch_mode=mode).status == status


def test_every_answer_is_marked_refusals_too(ask) -> None:
    for answer in (ask(APP, "/"), ask(APP, "/", "POST"), ask(APP, "/", host="evil.example")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("target", ["/", "/?token=", "/?token=guess", "/?token=s3cretx", "/api/snapshot?token=s3cre"])
def test_without_the_token_nothing_is_told(ask, target: str) -> None:
    answer = ask(WITH_TOKEN, target)
    assert answer.status == 403
    assert b"s3cret" not in answer.body


def test_with_it_one_gets_a_cookie_and_an_address_without_it(ask) -> None:
    answer = ask(WITH_TOKEN, "//evil.example?token=s3cret")
    assert (answer.status, answer.headers["location"]) == (303, "/")
    assert answer.headers["set-cookie"] == "oidl-1=s3cret; HttpOnly; Path=/; SameSite=lax"
    assert ask(WITH_TOKEN, "/", cookie="other=1; oidl-1=s3cret").body == b"the app"


@pytest.mark.parametrize("cookie", ["oidl-1=guess", "oidl-2=s3cret", "s3cret", "oidl-1=", 'oidl-1="\\"'])
def test_another_cookie_is_none(ask, cookie: str) -> None:
    assert ask(WITH_TOKEN, "/", cookie=cookie).status == 403


def test_a_long_cookie_or_query_takes_no_time(ask) -> None:
    began = time.process_time()
    assert ask(WITH_TOKEN, "/", cookie='oidl-1="' + "\\" * 55_000).status == 403
    assert ask(WITH_TOKEN, "/?" + "token=%;&" * 5_000).status == 403
    assert time.process_time() - began < 0.5


def test_the_token_may_be_anywhere_among_others(ask) -> None:
    assert ask(WITH_TOKEN, "/?a=b&token=s3cret&c").status == 303
    assert ask(WITH_TOKEN, "/", cookie="a=b;oidl-1=s3cret;c").status == 200


def test_a_web_socket_is_closed() -> None:
    sent = []

    async def send(message: dict) -> None:
        sent.append(message["type"])

    trio.run(APP, {"type": "websocket"}, trio.sleep_forever, send)
    assert sent == ["websocket.close"]
