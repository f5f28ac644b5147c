"""The accepted image formats, recognised by first bytes and by suffix. Pure."""

from urllib.parse import urlsplit

_SUFFIXES = {
    "jpg": "jpeg",
    "jpeg": "jpeg",
    "png": "png",
    "gif": "gif",
    "webp": "webp",
    "tif": "tiff",
    "tiff": "tiff",
}


def sniff(body: bytes) -> str | None:
    """The format by the first bytes: `jpeg`, `png`, `gif`, `webp`, `tiff`, or None for anything else."""
    head = bytes(body[:12])
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head.startswith(b"RIFF") and head[8:] == b"WEBP":
        return "webp"
    if head.startswith((b"II*\0", b"MM\0*")):
        return "tiff"
    return None


def suffix_format(url: str) -> str | None:
    """The format by the suffix of a URL or file name, or None for any other suffix."""
    return _SUFFIXES.get(urlsplit(url).path.rpartition(".")[2].lower())
