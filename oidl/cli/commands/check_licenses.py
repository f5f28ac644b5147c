"""`oidl check-licenses`: asks Flickr what the licence of each photo is now."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import trio
from cyclopts import Parameter

from oidl.cli.config import API_KEY
from oidl.cli.license_progress import show_progress
from oidl.cli.loopback import why_away
from oidl.cli.options.groups import NETWORK, OUTPUT, SELECTION, flattened
from oidl.cli.options.paths import PathOptions
from oidl.cli.options.selection import SelectionOptions
from oidl.cli.options.types import A_WAIT, AT_LEAST_ONE, AT_LEAST_ZERO, MORE_THAN_ZERO, SECONDS, absolute, one_of
from oidl.cli.selection import select_images
from oidl.cli.signals import watch_signals
from oidl.dataset.catalogue import find_version, read_catalogue
from oidl.dataset.published import LicenseServices
from oidl.errors import ExitCode, UsageError
from oidl.hints import command
from oidl.model import CheckSource, Status
from oidl.net.client import check_environment, new_client, tls_context
from oidl.net.dns import cached_dns
from oidl.net.documents import open_documents
from oidl.net.permits import Permits
from oidl.node.stop import Stop
from oidl.pipeline.license_ask import LicenseService
from oidl.pipeline.license_checks import CheckEnd, LicenseChecks, most_in_flight
from oidl.pipeline.writer import StateWriter
from oidl.progress.console import Console, open_console
from oidl.progress.licenses import LicenseMeter, LicenseStatistics
from oidl.report.licenses import license_summary
from oidl.settings import Display, NetworkSettings, Retries
from oidl.state.connection import StateConnection
from oidl.state.counts import read_counts
from oidl.state.database import open_reader, open_writer
from oidl.state.license_queue import CheckScope, LicenseQueue
from oidl.state.licenses import license_counts
from oidl.state.lock import writer_lock
from oidl.storage.output import open_log
from oidl.text import printable

_DAY_S = 86_400.0
_LONGEST_S = 50 * 365 * _DAY_S  # no check is older
_MARGIN = 0.98  # of the rate: requests that are sent a second apart may arrive in a little less
_KEY = re.compile(r"[0-9A-Za-z_-]{1,200}")


class CheckedImages(StrEnum):
    """Which images are checked."""

    DONE = "done"
    ALL = "all"


@flattened
@dataclass(frozen=True, kw_only=True)
class CheckOptions:
    """The options of `oidl check-licenses`."""

    of: Annotated[CheckedImages, one_of(CheckedImages), Parameter(group=SELECTION)] = CheckedImages.DONE
    """Check the images that are `done`, or `all` of the list."""

    sample: Annotated[int | None, AT_LEAST_ONE, Parameter(group=SELECTION)] = None
    """Check only this many of them, drawn at random by `--seed`; checked ones count, so the same sample resumes."""

    again_after: Annotated[float, SECONDS, AT_LEAST_ZERO, Parameter(group=SELECTION, show_default=False)] = 90 * _DAY_S
    """Check an image again if its last check is older than this, like `30d` or `12h`. Default: 90d."""

    by: Annotated[CheckSource, one_of(CheckSource), Parameter(group=NETWORK)] = CheckSource.OEMBED
    """What to ask: `oembed`, or `page` (slow), or with an API key `api`, or `history`, which also knows the past."""

    requests_per_second: Annotated[float, MORE_THAN_ZERO, Parameter(group=NETWORK)] = 1.0
    """Maximum number of requests per second; Flickr allows a key 3,600 an hour."""

    check_timeout: Annotated[float, MORE_THAN_ZERO, Parameter(group=NETWORK)] = 15.0
    """Seconds to connect, and seconds to wait for an answer or its next byte."""

    check_patience: Annotated[float, AT_LEAST_ZERO, Parameter(group=NETWORK)] = 300.0
    """Seconds to go on without finding out anything, as when Flickr asks for a pause; then it ends with exit code 3."""

    confirm_after: Annotated[float, A_WAIT, Parameter(group=NETWORK)] = Retries().confirm_after_s
    """Seconds before the second try after an answer that may be the network's (a web page); then twice that."""

    catalogue: Annotated[Path | None, Parameter(group=NETWORK)] = None
    """A TOML file that replaces the built-in catalogue, which names what to ask (see `oidl help versions`)."""

    progress: Annotated[Display, one_of(Display), Parameter(group=OUTPUT)] = Display.AUTO
    """`line`, `json` (one object per second on stderr), `none`, or `auto`, which is `line`."""

    log_file: Annotated[Path | None, Parameter(group=OUTPUT)] = None
    """Append the log of the check to this file."""

    def transfers(self) -> NetworkSettings:
        """How hard and how patiently the network is used."""
        most = most_in_flight(self.requests_per_second)
        return NetworkSettings(
            max_total_connections=most,
            max_host_connections=most,
            connect_timeout_s=self.check_timeout,
            stall_timeout_s=self.check_timeout,
            min_bytes_per_s=20_000.0,
            max_rps=_MARGIN * self.requests_per_second,
            burst_s=0.0,
        )


def check_licenses(
    paths: PathOptions = PathOptions(),
    images: SelectionOptions = SelectionOptions(),
    options: CheckOptions = CheckOptions(),
) -> int:
    """Checks, and prints what was found; returns the exit code."""
    key, services = _api_key(options.by), _services(options)
    if options.progress is Display.FULL:
        raise UsageError("--progress full: a check of licences has no full screen", hint="use --progress line")
    transfers = options.transfers()
    check_environment(transfers)
    log = open_log(absolute(options.log_file)) if options.log_file else None
    meter = LicenseMeter(time.monotonic)
    with (
        _opened(paths) as db,
        open_reader(paths.database) as reader,
        open_console(log, log_to_stdout=False, is_stderr_for_machines=options.progress is Display.JSON) as console,
    ):
        queue = _queue(reader, images, options)
        end, found = trio.run(_check, db, queue, _Request(options, transfers, services, key), meter, console)
        console.clear()
        summary = license_summary(found, license_counts(db), end.why)
        if options.of is CheckedImages.DONE and not found.checked and not read_counts(db).by_status[Status.DONE]:
            summary += f"\nno image is done; run {command('check-licenses', '--of all')} to check images of the list"
    print(printable(summary))
    if end.is_key_refused:
        raise UsageError(end.why, hint=f"set {API_KEY} to a valid key")
    if end.is_interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.UNFINISHED if end.left else ExitCode.SETTLED


async def _check(
    db: StateConnection, queue: LicenseQueue, request: "_Request", meter: LicenseMeter, console: Console
) -> tuple[CheckEnd, LicenseStatistics]:
    """Checks, with the signals and the progress around it."""
    stop, tls, transfers, options = Stop(), tls_context(), request.transfers, request.options

    def say(text: str) -> None:
        console.say(text.replace(request.key, "…") if request.key else text)

    state = StateWriter(db, stop, say)
    permits = Permits(transfers, {}, state.ledger.paces.read(), say=say, on_throttled=meter.throttled)
    meter.paced_by(permits.paces)
    outcome = "error"
    with cached_dns(transfers.dns_timeout_s):
        async with trio.open_nursery() as nursery:
            await nursery.start(watch_signals, stop, say)
            async with (
                show_progress(options.progress, meter, console),
                open_documents(permits, transfers, lambda: new_client(transfers, tls)) as documents,
            ):
                service = LicenseService(documents, request.services, options.by, request.key)
                checks = LicenseChecks(service, state, queue, permits, meter, stop)
                try:
                    end = await checks.run(
                        in_flight=transfers.max_total_connections,
                        confirm_after_s=options.confirm_after,
                        patience_s=max(options.check_patience, 3 / options.requests_per_second),
                    )
                    outcome = "interrupted" if end.is_interrupted else "unfinished" if end.left else "finished"
                finally:
                    meter.outcome = outcome
                found = meter.statistics()
            nursery.cancel_scope.cancel()
    return end, found


@dataclass(frozen=True, slots=True)
class _Request:
    """What to ask, and how; the key is in no text."""

    options: CheckOptions
    transfers: NetworkSettings
    services: LicenseServices
    key: str | None = field(repr=False)


def _queue(reader: StateConnection, images: SelectionOptions, options: CheckOptions) -> LicenseQueue:
    """The photos to check. Raises `UsageError` if there is no image list yet."""
    selection = images.settings()
    if options.sample is not None:
        selection = replace(selection, shuffle=False)  # the sample has an order of its own
    scope = CheckScope(
        before=datetime.now(UTC) - timedelta(seconds=min(options.again_after, _LONGEST_S)),
        subsets=selection.subsets,
        all_images=options.of is CheckedImages.ALL,
        sample=options.sample,
        seed=images.seed,
    )
    return LicenseQueue(reader, scope, select_images(reader, selection))


def _api_key(source: CheckSource) -> str | None:
    """The API key, from the environment only; None if `source` needs none. Raises `UsageError` without showing it."""
    if not source.needs_key:
        return None
    key = os.environ.get(API_KEY, "").strip()
    if not key:
        raise UsageError(
            f"--by {source} needs an API key of Flickr", hint=f"set {API_KEY} to it; see `oidl help licenses`"
        )
    if not _KEY.fullmatch(key):
        raise UsageError(f"{API_KEY} is not an API key", hint="set it to the key alone: letters and digits")
    return key


def _services(options: CheckOptions) -> LicenseServices:
    version = find_version(read_catalogue(options.catalogue), None)
    services = version.licenses
    if away := why_away(options.catalogue, version):
        raise away
    if services is None:
        raise UsageError(
            f"the catalogue {options.catalogue} does not name what to ask about licences",
            hint="add a table [licenses] like that of the built-in one (see `oidl help versions`)",
        )
    return services


@contextmanager
def _opened(paths: PathOptions) -> Iterator[StateConnection]:
    """The database for writing, with its lock."""
    with open_reader(paths.database):  # a check neither creates nor updates a database
        pass
    with writer_lock(paths.database), open_writer(paths.database) as db:
        yield db
