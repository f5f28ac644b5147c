"""Too few open files: fewer connections, and no failures blamed on hosts or images."""

import errno
import resource

import httpcore
import pytest
import trio
import trio.testing

from oidl.net.descriptors import causes, fit_connections, is_out_of_files, raise_limit
from oidl.net.wire import Network
from oidl.settings import NetworkSettings


def test_the_limit_is_raised_to_what_may_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    assert raise_limit() == 4096
    assert asked == [(4096, 4096)]


def test_a_limit_that_cannot_be_raised_is_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert raise_limit() == 256


def test_connections_are_cut_to_what_fits_and_that_is_said() -> None:
    assert fit_connections(NetworkSettings(), 1024) == (NetworkSettings(), "")
    cut, said = fit_connections(NetworkSettings(max_host_connections=64), 64)
    assert (cut.max_total_connections, cut.max_host_connections) == (24, 24)
    assert said.startswith("24 connections at most, not 128: this process may open only 64 files")
    assert fit_connections(NetworkSettings(), 20)[0].max_total_connections == 4


def test_a_connection_that_finds_no_file_free_waits_for_one() -> None:
    class Full(httpcore.AsyncNetworkBackend):
        tries = 0

        async def connect_tcp(self, *_: object, **__: object) -> httpcore.AsyncNetworkStream:
            await trio.lowlevel.checkpoint()
            self.tries += 1
            if self.tries < 5:
                refused = OSError("all attempts to connect failed")
                refused.__cause__ = ExceptionGroup("", [OSError(errno.EMFILE, "Too many open files")])
                raise httpcore.ConnectError from refused
            return httpcore.AsyncNetworkStream()

    full = Full()

    async def main() -> None:
        await Network(full).connect_tcp("photos", 80, timeout=10)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert full.tries == 5


def test_a_circle_of_causes_ends() -> None:
    error = ValueError()
    error.__cause__ = error
    assert list(causes(error)) == [error]
    assert not is_out_of_files(error)
