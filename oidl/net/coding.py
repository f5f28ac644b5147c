"""Undoes content codings: sizes and MD5s are those of the stored bytes, however they travelled.

oidl asks no server for a coding, but some use one anyway. A body that is announced
as coded but does not look like it is left unchanged.
"""

import zlib

import trio

from oidl.model import Failure, Reason

CODINGS = {"gzip": (31,), "deflate": (15, -15)}
"""The codings that can be undone, with zlib's window sizes for them: `deflate` occurs with and without a header."""

_STEP_BYTES = 256 * 1024  # takes about a millisecond; then other tasks may run


async def undo(body: bytes, coding: str, cap_bytes: int) -> bytes | Failure:
    """`body` without its `coding`, at most `cap_bytes` long; `body` itself if it is not coded at all."""
    for window in CODINGS[coding]:
        try:
            return await _inflated(body, window, cap_bytes) or Failure(
                Reason.CONNECTION, f"the {coding} coding of the body ends early"
            )
        except zlib.error:
            continue
        except OverflowError:
            return Failure(Reason.TOO_LARGE, f"longer than {cap_bytes} bytes without its {coding} coding")
    if body.startswith(b"\x1f\x8b"):
        return Failure(Reason.CONNECTION, f"the {coding} coding of the body is damaged")
    return body


async def _inflated(body: bytes, window: int, cap_bytes: int) -> bytes | None:
    """The inflated body, None if it ends early.

    Raises `zlib.error` if it is not coded that way, `OverflowError` beyond `cap_bytes`.
    """
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
