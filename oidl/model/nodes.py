"""How the nodes of a run on a cluster do."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class NodeProgress:
    """A node, which is one `life` of a worker on `host`: the images that it did, and what it does now.

    `age_s` is how long ago it began. `lost` is how it ended, None while it lives.
    """

    life: str
    name: str
    host: str
    threads: int
    images: int = 0
    images_per_s: float = 0.0
    in_progress: int = 0
    lost: str | None = None
    age_s: float = field(default=0.0, compare=False)
