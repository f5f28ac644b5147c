"""Content codings undone: sizes and MD5s are of the bytes as stored, however they travelled.

No server is asked for a coding, and some use one all the same. What is said to
be coded and does not look it is left as it came.
"""

import zlib

import trio

from oidl.model import Failure, Reason

CODINGS = {"gzip": (31,), "deflate": (15, -15)}
"""What can be undone, and the window sizes of zlib that do it: `deflate` comes with and without zlib's header."""

_STEP_BYTES = 256 * 1024  # takes about a millisecond, and then others have their turn


async def undo(body: bytes, coding: str, cap_bytes: int) -> bytes | Failure:
    """What `body` is the `coding` of, if that is at most `cap_bytes` long; `body` itself if it is not coded at all."""
    for window in CODINGS[coding]:
        try:
            return await _inflated(body, window, cap_bytes) or Failure(
                Reason.CONNECTION, f"the {coding} coding of the body ends early"
            )
        except zlib.error:
            continue
        except OverflowError:
            return Failure(Reason.TOO_LARGE, f"longer than {cap_bytes} bytes once its {coding} coding is undone")
    if body.startswith(b"\x1f\x8b"):
        return Failure(Reason.CONNECTION, f"the {coding} coding of the body is damaged")
    return body


async def _inflated(body: bytes, window: int, cap_bytes: int) -> bytes | None:
    """None if it ends early. Raises `zlib.error` if it is not coded so, `OverflowError` past `cap_bytes`."""
    decoder, inflated, at = zlib.decompressobj(window), bytearray(), 0
    waiting = b""
    while not decoder.eof:
        if not waiting:
            waiting = body[at : at + _STEP_BYTES]
            at += len(waiting)
            if not waiting:
                return None
        inflated += decoder.decompress(waiting, _STEP_BYTES)
        waiting = decoder.unconsumed_tail
        if len(inflated) > cap_bytes:
            raise OverflowError
        await trio.lowlevel.checkpoint()
    return bytes(inflated)
