"""Options as the older Scala downloader spelled them: its documented commands work after `oidl run`."""

from collections.abc import Iterable, Iterator

_SWITCHES = (
    "always-download", "check-md5-if-exists", "download-images", "download-metadata", "log-to-stdout", "prefix-dirs",
    "resize-images", "save-original-images", "save-tar-balls",
)  # fmt: skip

LEGACY = {
    "--download-300k": ("--source=300k,original",),
    "--nodownload-300k": (),
    **{f"--no{switch}": (f"--no-{switch}",) for switch in _SWITCHES},
}
"""What each old spelling stands for."""


def without_legacy(tokens: Iterable[str]) -> Iterator[str]:
    """`tokens` with every old spelling replaced."""
    for token in tokens:
        yield from LEGACY.get(token, (token,))
