"""The image formats that browsers show, told by file name and by first bytes. Pure."""

from oidl.imaging.formats import sniff
from oidl.storage.shards.place import image_suffix

_SUFFIXES = {".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif"}
_FORMATS = {"jpeg", "png", "gif", "webp", "avif"}


def is_displayable(path: str, image_format: str = "") -> bool:
    """Whether the name of a file promises a format that browsers show; in a shard, `image_format` does."""
    return image_suffix(path, image_format).lower() in _SUFFIXES


def media_type(head: bytes) -> str | None:
    """The media type of an image that browsers show, by its first 12 bytes; None for anything else."""
    found = "avif" if head[4:12] in (b"ftypavif", b"ftypavis") else sniff(head)
    return f"image/{found}" if found in _FORMATS else None
