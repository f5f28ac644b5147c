"""Lines between a run and the process of its page."""

import trio

_PIECE_BYTES = 64 * 1024


class Lines:
    """The lines that `stream` brings; one longer than `most_bytes` is the end."""

    def __init__(self, stream: trio.abc.ReceiveStream, most_bytes: int) -> None:
        self._stream = stream
        self._most_bytes = most_bytes
        self._rest = bytearray()

    async def next(self) -> bytes | None:
        """The next line, without its line feed; None at the end."""
        looked_at = 0
        while (end := self._rest.find(b"\n", looked_at)) < 0:
            looked_at = len(self._rest)
            try:
                piece = await self._stream.receive_some(_PIECE_BYTES)
            except trio.BrokenResourceError:  # the other side has ended, and has not read all of ours
                return None
            if not piece or looked_at > self._most_bytes:
                return None
            self._rest += piece
        line = bytes(self._rest[:end])
        del self._rest[: end + 1]
        return line
