"""The limit on open files: each connection is an open file, and a process may have only a limited number of them."""

import errno
import resource
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from oidl.settings import NetworkSettings
from oidl.text import counted

_OTHERS = 40  # the database and its readers, the log, images being written, name servers, the event loop
_FEWEST_CONNECTIONS = 4
_UNLIMITED = 65_536  # an unlimited number counts as this


def raise_limit() -> int:
    """Raises this process's limit on open files to the highest value it may set; returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = _UNLIMITED if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < highest:
        with suppress(OSError, ValueError):  # some systems have a lower limit than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
            soft = highest
    return _UNLIMITED if soft == resource.RLIM_INFINITY else soft


def fit_connections(transfers: NetworkSettings, files: int) -> tuple[NetworkSettings, str]:
    """`transfers` with no more connections than `files` open files allow, and a message about the change, if any."""
    most = max(_FEWEST_CONNECTIONS, files - _OTHERS)
    if transfers.max_total_connections <= most:
        return transfers, ""
    message = (
        f"{counted(most, 'connection')} at most, not {transfers.max_total_connections}: "
        f"this process may open only {counted(files, 'file')} (raise `ulimit -n` for more)"
    )
    return replace(
        transfers,
        max_total_connections=most,
        max_host_connections=min(most, transfers.max_host_connections),
    ), message


def is_out_of_files(error: BaseException) -> bool:
    """Whether `error`, or one of its causes, says that no more files can be opened."""
    return any(isinstance(cause, OSError) and cause.errno in (errno.EMFILE, errno.ENFILE) for cause in causes(error))


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """`error` and all its causes."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if isinstance(error, BaseExceptionGroup):  # Trio raises one with an error for each address that it tried
            for each in error.exceptions:
                yield from causes(each)
        error = error.__cause__ or error.__context__
