"""Checks whether a body is the published image, in the contract's order. Pure."""

import base64
import hashlib

from oidl.imaging.formats import sniff, suffix_format
from oidl.model import Failure, Fetched, Job, Reason, Source


def verify(job: Job, fetched: Fetched, *, check_md5: bool = True) -> str | Failure:
    """The base64 MD5 of the body, or the first check that it fails: first bytes, length, MD5.

    The server sometimes regenerates a 300K thumbnail, so there is no published size or MD5 for it: it only has to
    decode. For a mirror's copy, the mirror itself may state the MD5. A format other than the suffix of the URL
    means a placeholder, unless the bytes are the published ones. A doubtful answer (a text type, an error status)
    is accepted only if its bytes are the published ones.
    """
    body = fetched.body
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    md5 = base64.b64encode(digest).decode()
    is_published = md5 == job.original_md5 and len(body) == job.original_size
    if fetched.doubt is not None and not is_published:
        return fetched.doubt
    name = sniff(body)
    if name is None:
        return Failure(Reason.NOT_AN_IMAGE, f"starts with {bytes(body[:12])!r}")
    promised = suffix_format(job.original_url if fetched.source == Source.LOCAL else fetched.url)
    if promised and name != promised and not is_published:
        return Failure(Reason.NOT_AN_IMAGE, f"{name} instead of {promised}, like a placeholder")
    if fetched.source.is_mirror and fetched.server_md5 and fetched.server_md5 != digest.hex():
        return Failure(Reason.MD5_MISMATCH, f"MD5 {digest.hex()}, the mirror says {fetched.server_md5}")
    if fetched.source == Source.THUMBNAIL_300K or fetched.source.is_mirror:
        return md5
    if len(body) != job.original_size:
        return Failure(Reason.SIZE_MISMATCH, f"{len(body)} bytes, published {job.original_size}")
    if check_md5 and not is_published:
        return Failure(Reason.MD5_MISMATCH, f"MD5 {md5}, published {job.original_md5}")
    return md5
