"""Asks servers about files without fetching them: HEAD requests, a few at once, each with a deadline."""

from collections.abc import Sequence
from dataclasses import dataclass

import trio

from oidl.net.client import TRANSFER_ERRORS, Client, failure_of, is_from_public, new_client, tls_context
from oidl.net.headers import content_length, redirect_target, server_md5
from oidl.settings import NetworkSettings
from oidl.text import DETAIL_CHARACTERS, printable, shortened, without_passwords

_AT_ONCE = 8
_MAX_REDIRECTS = 3


@dataclass(frozen=True, slots=True)
class Probe:
    """A server's answer about one file: status, length in bytes and MD5 (lower-case hex), each None if not given.

    `problem` says why there is no answer, "" if there is one.
    """

    status: int | None = None
    bytes: int | None = None
    md5: str | None = None
    problem: str = ""


async def probe(urls: Sequence[str], transfers: NetworkSettings) -> list[Probe]:
    """The answers for `urls`, in their order. Never raises for a fault of a server or a network."""
    answers = [Probe() for _ in urls]
    waiting = list(enumerate(urls))[::-1]

    async def ask_next() -> None:
        async with new_client(transfers, tls) as client:
            while waiting:
                number, url = waiting.pop()
                answers[number] = await _ask(client, url, transfers)

    tls = tls_context()
    async with trio.open_nursery() as nursery:
        for _ in range(min(_AT_ONCE, len(urls))):
            nursery.start_soon(ask_next)
    return answers


async def _ask(client: Client, url: str, transfers: NetworkSettings) -> Probe:
    with trio.move_on_after(transfers.deadline_s(0)):
        try:
            is_public = False
            for _ in range(_MAX_REDIRECTS + 1):
                async with client.stream("HEAD", url, is_public_only=is_public) as response:
                    await response.aread()  # an empty body; reading it keeps the connection
                if not response.has_redirect_location:
                    md5 = server_md5(response.headers)
                    length = content_length(response.headers.get("Content-Length"))
                    return Probe(response.status_code, length, md5[0] if md5 else None)
                try:
                    is_public = is_from_public(url, response)
                    url = redirect_target(url, response.headers["Location"], is_from_public=is_public)
                except ValueError as error:
                    return Probe(problem=shortened(printable(without_passwords(str(error))), DETAIL_CHARACTERS))
        except TRANSFER_ERRORS as error:
            failure = failure_of(error)
            return Probe(problem=f"{failure.reason}: {failure.detail}")
        return Probe(problem=f"more than {_MAX_REDIRECTS} redirects")
    return Probe(problem="no answer in time")
