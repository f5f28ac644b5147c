"""The value of `--cluster`: where a scheduler is, or how many workers to start on this machine. Pure."""

import re
from dataclasses import dataclass

_LOCAL = re.compile(r"local:([0-9]{1,3})")
_SCHEDULER = re.compile(r"(tcp|tls|ws|wss|ucx)://[^\s/]+:[0-9]{1,5}")
_LOOPBACK = re.compile(r"://(localhost|127\.[0-9.]+|\[::1\]):")


@dataclass(frozen=True, slots=True)
class ClusterAddress:
    """A cluster: `workers` is how many to start on this machine, None for a scheduler that runs."""

    text: str
    workers: int | None = None

    @classmethod
    def parse(cls, text: str) -> "ClusterAddress":
        """Raises `ValueError` if `text` is no address."""
        if match := _LOCAL.fullmatch(text):
            if int(match[1]):
                return cls(text, int(match[1]))
        elif _SCHEDULER.fullmatch(text):
            return cls(text)
        raise ValueError(f"must be like tcp://host:8786, tls://host:8786 or local:3, not {text!r}")

    @property
    def needs_warning(self) -> bool:
        """Whether others may reach it, without TLS."""
        is_open = self.text.startswith(("tcp://", "ws://", "ucx://"))
        return is_open and not _LOOPBACK.search(self.text)
