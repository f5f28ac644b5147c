"""`oidl catalogue`: what each version of Open Images consists of, and whether it is still there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import trio
from cyclopts import Parameter

from oidl.dataset.catalogue import find_version, read_catalogue
from oidl.errors import ExitCode, UsageError
from oidl.net.dns import cached_dns
from oidl.net.probe import Probe, probe
from oidl.report.catalogue import catalogue_json, catalogue_text, verdict
from oidl.settings import NetworkSettings
from oidl.text import printable


@dataclass(frozen=True, kw_only=True)
class CatalogueOptions:
    """What `oidl catalogue` can be told."""

    dataset_version: str | None = None
    """Only this version; all if not given."""

    catalogue: Path | None = None
    """A TOML file in the built-in catalogue's format, to use instead of that."""

    config: Path | None = None
    """A TOML file of options; `oidl.toml` in the working directory if not given."""

    check: bool = False
    """Ask the servers whether each file is still there, as long as published and with that MD5; exit code 4 if not."""

    json: bool = False
    """Print one JSON array instead."""

    connect_timeout: float = 10.0
    """Seconds to connect, DNS, a proxy and TLS included."""

    stall_timeout: float = 30.0
    """Seconds that an answer may take after that."""


DEFAULTS = CatalogueOptions()


def catalogue(options: Annotated[CatalogueOptions, Parameter(name="*")] = DEFAULTS) -> int:
    """List the files of each version: kind, subset, size, checksum and URL."""
    for option, seconds in (
        ("--connect-timeout", options.connect_timeout),
        ("--stall-timeout", options.stall_timeout),
    ):
        if not 0 < seconds < float("inf"):
            raise UsageError(f"{option} must be more than 0, not {seconds}")
    versions = read_catalogue(options.catalogue)
    if options.dataset_version is not None:
        version = find_version(versions, options.dataset_version)
        versions = {version.name: version}
    files = [(version, file) for version in versions.values() for file in version.files]
    probes = None
    if options.check:
        asked = dict.fromkeys(file.url for _, file in files)  # several versions have files in common
        found = dict(zip(asked, trio.run(_probe, list(asked), options), strict=True))
        probes = [found[file.url] for _, file in files]
    print(catalogue_json(files, probes) if options.json else printable(catalogue_text(files, probes)))
    is_sound = not probes or all(verdict(file, one) == "ok" for (_, file), one in zip(files, probes, strict=True))
    return ExitCode.SETTLED if is_sound else ExitCode.METADATA


async def _probe(urls: list[str], options: CatalogueOptions) -> list[Probe]:
    transfers = NetworkSettings(connect_timeout_s=options.connect_timeout, stall_timeout_s=options.stall_timeout)
    with cached_dns(transfers.dns_timeout_s):
        return await probe(urls, transfers)
