"""The catalogue as a table, with the answers of servers if they were asked. Pure."""

import json
from collections.abc import Sequence

from oidl.dataset.published import PublishedFile, Version
from oidl.net.probe import Probe
from oidl.progress.format import size
from oidl.text import without_secrets

_TITLES = ("version", "kind", "subset", "size", "checksum", "", "URL")


def catalogue_text(files: Sequence[tuple[Version, PublishedFile]], probes: Sequence[Probe] | None = None) -> str:
    """One line per file, in columns; with `probes`, the verdict on the server's answer is in front of the URL."""
    rows = [
        (
            version.name,
            file.kind + (f" ({file.extent})" if file.extent else ""),
            file.subset or "all",
            _size(file),
            "MD5" if file.md5 else "SHA-256" if file.sha256 else "none",
            verdict(file, probes[number]) if probes else "optional" if file.is_optional else "",
            without_secrets(file.url),
        )
        for number, (version, file) in enumerate(files)
    ]
    table = [_TITLES, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(_TITLES) - 1)]
    return "\n".join("  ".join([*map(str.ljust, row, widths), row[-1]]) for row in table)


def _size(file: PublishedFile) -> str:
    if not file.expected_bytes:
        return "?"
    return size(file.expected_bytes) if file.bytes else f"~{size(file.expected_bytes)}"


def catalogue_json(files: Sequence[tuple[Version, PublishedFile]], probes: Sequence[Probe] | None = None) -> str:
    """One JSON array; its keys are a public interface, listed by `oidl help json`."""
    return json.dumps(
        [
            {
                "version": version.name,
                "name": file.name,
                "kind": file.kind,
                "subset": file.subset,
                "extent": file.extent,
                "optional": file.is_optional,
                "bytes": file.bytes,
                "approx_bytes": file.approx_bytes,
                "md5": file.md5,
                "sha256": file.sha256,
                "url": without_secrets(file.url),
                "check": _check(file, probes[number]) if probes else None,
            }
            for number, (version, file) in enumerate(files)
        ],
        indent=1,
    )


def verdict(file: PublishedFile, probe: Probe) -> str:
    """`ok`, or a few words about the difference."""
    if probe.problem:
        return probe.problem
    if probe.status != 200:
        return f"HTTP {probe.status}"
    if None not in (file.bytes, probe.bytes) and file.bytes != probe.bytes:
        return f"{probe.bytes} bytes, published {file.bytes}"
    if None not in (file.md5, probe.md5) and file.md5 != probe.md5:
        return f"MD5 {probe.md5}, published {file.md5}"
    return "ok"


def _check(file: PublishedFile, probe: Probe) -> dict[str, object]:
    return {"verdict": verdict(file, probe), "status": probe.status, "bytes": probe.bytes, "md5": probe.md5}
