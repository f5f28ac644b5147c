"""`oidl catalogue`: lists the files of each version of Open Images, and checks if they are still there."""

from dataclasses import dataclass
from pathlib import Path

import trio

from oidl.cli.options.groups import flattened
from oidl.cli.options.network import NetworkOptions, TimeoutOptions
from oidl.dataset.catalogue import find_version, read_catalogue
from oidl.errors import ExitCode
from oidl.net.dns import cached_dns
from oidl.net.probe import Probe, probe
from oidl.report.catalogue import catalogue_json, catalogue_text, verdict
from oidl.text import printable


@flattened
@dataclass(frozen=True, kw_only=True)
class CatalogueOptions:
    """The options of `oidl catalogue`."""

    dataset_version: str | None = None
    """List only this version. Default: all of them."""

    catalogue: Path | None = None
    """A TOML file that replaces the built-in list of versions, files and mirrors (see `oidl help versions`)."""

    config: Path | None = None
    """A TOML file of options. Default: `oidl.toml` in the working directory, if there is one."""

    check: bool = False
    """Ask the servers if each file is still there with its published size and MD5; exit code 4 if one is not."""

    json: bool = False
    """Print one JSON array instead."""


def catalogue(options: CatalogueOptions = CatalogueOptions(), timeouts: TimeoutOptions = TimeoutOptions()) -> int:
    """Prints the table of files; returns the exit code, which is about the files if they are checked."""
    versions = read_catalogue(options.catalogue)
    if options.dataset_version is not None:
        version = find_version(versions, options.dataset_version)
        versions = {version.name: version}
    files = [(version, file) for version in versions.values() for file in version.files]
    probes = None
    if options.check:
        requested = dict.fromkeys(file.url for _, file in files)  # several versions have files in common
        found = dict(zip(requested, trio.run(_probe, list(requested), timeouts), strict=True))
        probes = [found[file.url] for _, file in files]
    print(catalogue_json(files, probes) if options.json else printable(catalogue_text(files, probes)))
    is_sound = not probes or all(verdict(file, one) == "ok" for (_, file), one in zip(files, probes, strict=True))
    return ExitCode.SETTLED if is_sound else ExitCode.METADATA


async def _probe(urls: list[str], timeouts: TimeoutOptions) -> list[Probe]:
    transfers = NetworkOptions().settings(timeouts)
    with cached_dns(transfers.dns_timeout_s):
        return await probe(urls, transfers)
