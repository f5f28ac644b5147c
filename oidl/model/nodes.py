"""How the nodes of a run on a cluster do."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class NodeProgress:
    """A node, which is one `life` of a worker on `host`: the images that it did, and what it does now.

    `images` are those that it did, without those that failed; `images_per_s` counts both. `in_progress` are all that it
    has; `downloads` and `resizes` of these are what it does now, None if that is not known. `rate` is the most requests
    per second that it makes to the provider that allows the fewest (None: no limit), `pause_s` the rest of a pause in
    seconds. `age_s` is how long ago it began. `lost` is how it ended, None while it lives.
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
    downloads: int | None = field(default=None, compare=False)  # this and what follows is not recorded
    resizes: int | None = field(default=None, compare=False)
    rate: float | None = field(default=None, compare=False)
    pause_s: float = field(default=0.0, compare=False)
