"""Open files: each connection is one, and a process may have only so many of them at once."""

import errno
import resource
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from oidl.settings import NetworkSettings
from oidl.text import counted

_OTHERS = 40  # the database and its readers, the log, images being written, name servers, the event loop
_FEWEST_CONNECTIONS = 4
_MOST = 65_536  # what a limit that is none counts as


def raise_limit() -> int:
    """Lets this process open as many files as it may ask for; returns how many those are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # some systems have a lower limit than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return _MOST if soft == resource.RLIM_INFINITY else soft


def fit_connections(transfers: NetworkSettings, files: int) -> tuple[NetworkSettings, str]:
    """`transfers` with no more connections than `files` open files leave room for, and what was changed, in words."""
    most = max(_FEWEST_CONNECTIONS, files - _OTHERS)
    if transfers.max_total_connections <= most:
        return transfers, ""
    said = (
        f"{counted(most, 'connection')} at most, not {transfers.max_total_connections}: "
        f"this process may open only {counted(files, 'file')} (raise `ulimit -n` for more)"
    )
    return replace(
        transfers,
        max_total_connections=most,
        max_host_connections=min(most, transfers.max_host_connections),
    ), said


def is_out_of_files(error: BaseException) -> bool:
    """Whether `error`, or one that it comes from, says that no more files can be opened."""
    return any(isinstance(cause, OSError) and cause.errno in (errno.EMFILE, errno.ENFILE) for cause in causes(error))


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """`error` and all that it comes from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if isinstance(error, BaseExceptionGroup):  # Trio's, of the addresses that were tried
            for each in error.exceptions:
                yield from causes(each)
        error = error.__cause__ or error.__context__
