"""The lines that a run and the process of its page send each other."""

import trio

_PIECE_BYTES = 64 * 1024


class LineReader:
    """Reads lines from `stream`; a line longer than `max_bytes` counts as the end of the stream."""

    def __init__(self, stream: trio.abc.ReceiveStream, max_bytes: int) -> None:
        self._stream = stream
        self._max_bytes = max_bytes
        self._rest = bytearray()

    async def read_line(self) -> bytes | None:
        """The next line without its line feed; None at the end."""
        searched = 0
        while (end := self._rest.find(b"\n", searched)) < 0:
            searched = len(self._rest)
            try:
                piece = await self._stream.receive_some(_PIECE_BYTES)
            except trio.BrokenResourceError:  # the other side ended without reading all of ours
                return None
            if not piece or searched > self._max_bytes:
                return None
            self._rest += piece
        line = bytes(self._rest[:end])
        del self._rest[: end + 1]
        return line
