"""The versions of what decides the bytes of a file: they must be the same on all machines."""

from collections.abc import Mapping
from importlib.metadata import version


def versions() -> dict[str, str]:
    """Those of this process, by name."""
    from oidl.imaging.vips import pyvips

    libvips = ".".join(str(pyvips.version(part)) for part in range(3))
    return {"oidl": version("oidl"), "libvips": libvips, "simplejpeg (libjpeg-turbo)": version("simplejpeg")}


def difference(theirs: Mapping[str, str], ours: Mapping[str, str]) -> str | None:
    """The first version that differs, for the user; None if all are the same."""
    for name, own in ours.items():
        if (other := theirs.get(name, "none")) != own:
            return f"it has {name} {other}, and this is {own}; install the same versions on all machines"
    return None
