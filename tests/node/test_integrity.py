"""Are these the published bytes? The first failed check gives the reason."""

import base64
import hashlib

import pytest
from builders import job

from oidl.model import Failure, Fetched, Reason, Source
from oidl.node.integrity import verify

JPEG = b"\xff\xd8\xff\xe0 published \xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n published"


def md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body).digest()).decode()


def verified(
    body: bytes, *, published: bytes = JPEG, source: Source = Source.ORIGINAL, check_md5: bool = True
) -> str | Reason:
    item = job(original_size=len(published), original_md5=md5(published))
    url = item.thumbnail_300k_url if source == Source.THUMBNAIL_300K else item.original_url
    result = verify(item, Fetched(source, url, body), check_md5=check_md5)
    return result.reason if isinstance(result, Failure) else result


def test_the_published_bytes_pass_and_give_their_md5() -> None:
    assert verified(JPEG) == md5(JPEG)


@pytest.mark.parametrize("body", [b"", b"<html>Sorry", b'<?xml version="1.0"?>', b"<svg ", b"%PDF-1.4", b"\0" * 20])
def test_first_bytes_come_first(body: bytes) -> None:
    assert verified(body) is Reason.NOT_AN_IMAGE


def test_another_format_is_a_placeholder_unless_it_is_what_was_published() -> None:
    assert verified(PNG) is Reason.NOT_AN_IMAGE
    assert verified(PNG, published=PNG) == md5(PNG)
    assert verified(PNG, source=Source.THUMBNAIL_300K) is Reason.NOT_AN_IMAGE


def test_then_the_length_then_the_md5() -> None:
    assert verified(JPEG + b"more") is Reason.SIZE_MISMATCH
    assert verified(JPEG[:-1] + b"!") is Reason.MD5_MISMATCH


def test_a_thumbnail_has_no_published_size_or_md5() -> None:
    thumbnail = b"\xff\xd8\xff\xe0 small"
    assert verified(thumbnail, source=Source.THUMBNAIL_300K) == md5(thumbnail)


def test_a_local_original_may_be_trusted_by_its_size() -> None:
    changed = JPEG[:-1] + b"!"
    assert verified(changed, source=Source.LOCAL) is Reason.MD5_MISMATCH
    assert verified(changed, source=Source.LOCAL, check_md5=False) == md5(changed)
    assert verified(changed + b"!", source=Source.LOCAL, check_md5=False) is Reason.SIZE_MISMATCH


def test_what_came_in_a_doubtful_way_is_taken_only_if_it_is_the_published_image() -> None:
    doubt = Failure(Reason.HTTP_ERROR, "HTTP 404", 404)
    item = job(original_size=len(JPEG), original_md5=md5(JPEG))
    assert verify(item, Fetched(Source.ORIGINAL, item.original_url, JPEG, doubt=doubt)) == md5(JPEG)
    other = Fetched(Source.ORIGINAL, item.original_url, JPEG[:-1] + b"x", doubt=doubt)
    assert verify(item, other, check_md5=False) is doubt
