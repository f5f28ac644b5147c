"""A body assembled from several answers: only from one file, and complete only at its end."""

from oidl.net.body import Body

TAG = {"ETag": '"one"'}


def test_a_length_that_only_the_rest_tells_is_kept_to() -> None:
    body = Body(left_s=10)
    body.begin(TAG)
    body.add(b"123")
    assert body.is_continued_by({**TAG, "Content-Range": "bytes 3-4/9"})
    body.add(b"45")
    assert not body.is_complete
    assert body.range_headers == {"Range": "bytes=5-", "If-Range": '"one"'}
    assert not body.is_continued_by({**TAG, "Content-Range": "bytes 5-7/8"})
    assert body.is_continued_by({"Content-Range": "bytes 5-8/9"})
    body.add(b"6789")
    assert body.is_complete
    assert body.joined() == b"123456789"


def test_what_is_forgotten_is_not_asked_for_the_rest_of() -> None:
    body = Body(left_s=10)
    body.begin({**TAG, "Content-Length": "9"})
    body.add(b"123")
    body.forget()
    assert (body.size, body.range_headers, body.joined()) == (0, {}, b"")
    assert body.is_complete
