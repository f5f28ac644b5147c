"""Are these bytes the published image? Pure; the checks that need the body, in the contract's order."""

import base64
import hashlib

from oidl.imaging.formats import sniff, suffix_format
from oidl.model import Failure, Fetched, Job, Reason, Source


def verify(job: Job, fetched: Fetched, *, check_md5: bool = True) -> str | Failure:
    """The base64 MD5 of the body, or the first check that it fails: first bytes, length, MD5.

    A 300K thumbnail is made anew by the server now and then and has no
    published size or MD5: its decode must do. Of a mirror's copy the mirror itself
    may tell the MD5. A format other than the URL's
    own suffix is a placeholder, unless it is what was published. What came in a doubtful way (a text type, an error's
    status) is only taken if it is that.
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
    promised = suffix_format(job.original_url if fetched.source is Source.LOCAL else fetched.url)
    if promised and name != promised and not is_published:
        return Failure(Reason.NOT_AN_IMAGE, f"a {name}, as placeholders are, instead of a {promised}")
    if fetched.source is Source.CVDF and fetched.server_md5 and fetched.server_md5 != digest.hex():
        return Failure(Reason.MD5_MISMATCH, f"MD5 {digest.hex()}, the mirror says {fetched.server_md5}")
    if fetched.source in (Source.THUMBNAIL_300K, Source.CVDF):
        return md5
    if len(body) != job.original_size:
        return Failure(Reason.SIZE_MISMATCH, f"{len(body)} bytes, published {job.original_size}")
    if check_md5 and not is_published:
        return Failure(Reason.MD5_MISMATCH, f"MD5 {md5}, published {job.original_md5}")
    return md5
