"""The files that a browser gets: by name, and by content."""

import pytest

from oidl.web.media import is_displayable, media_type


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"\0\0\0\x1cftypavif", "image/avif"),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"<svg xmlns", None),
        (b"<!DOCTYPE html", None),
        (b"", None),
    ],
)
def test_what_a_picture_is_its_first_bytes_say(head: bytes, kind: str | None) -> None:
    assert media_type(head) == kind


@pytest.mark.parametrize("path", ["a/b.jpg", "b.JPEG", "b.png", "b.gif", "b.webp", "b.avif"])
def test_a_name_that_browsers_show(path: str) -> None:
    assert is_displayable(path)


@pytest.mark.parametrize("path", ["a/b.tif", "b.tiff", "b.svg", "b.jpg.html", "jpg", ""])
def test_a_name_that_they_do_not(path: str) -> None:
    assert not is_displayable(path)
