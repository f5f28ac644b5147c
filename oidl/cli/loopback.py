"""Whether the server of a catalogue is running, if its files are on this machine, as those of a demo are."""

import shlex
import socket
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from oidl.dataset.published import Version
from oidl.demo.recipe import read_recipe
from oidl.errors import MetadataError

_PATIENCE_S = 1.0


def why_away(catalogue: Path | None, version: Version) -> MetadataError | None:
    """An error if the files of `version` are on a loopback address where nothing listens; otherwise None."""
    if catalogue is None:
        return None
    server = urlsplit(version.files[0].url)
    if not _is_loopback(server.hostname or "") or _answers(server.hostname or "", server.port or 80):
        return None
    message = f"nothing answers at {server.scheme}://{server.netloc}, the address of this catalogue's files"
    place = catalogue.absolute().parent
    if read_recipe(place) is None:
        return MetadataError(message, hint="start the server that has them, then run this again")
    return MetadataError(
        message, hint=f"run `oidl demo --serve --root-dir {shlex.quote(str(place.parent))}` in another terminal first"
    )


def still_works(away: MetadataError) -> str:
    """The same as a message of a run that continues, because it may need nothing from there."""
    return f"{away.message}; everything that needs no request still works\n  {away.hint}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), _PATIENCE_S):
            return True
    except OSError:
        return False
