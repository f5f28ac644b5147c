"""A server of photos on loopback behind a simulated limiter, in a separate process.

`python -m bench.limited --limiter NAME --photos DIR` prints its base URL and serves until SIGTERM. Then it prints, as
JSON, the time of each request in seconds after the first, and whether it was refused.
"""

import argparse
import json
import random
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import trio

from bench.limiting import Bucket, Limiter, Noise
from oidl.demo.server import serve
from oidl.demo.site import TOO_MANY, CannedResponse, Site


def _forty() -> Bucket:
    return Bucket(lambda now: 40, 20)


LIMITERS: dict[str, Callable[[], Limiter]] = {
    "40/s, burst 20": _forty,
    "40/s and 1 % noise": lambda: Noise(0.01, 1.0, _forty()),
    "4 % noise": lambda: Noise(0.04, 1.0),
}


class LimitedSite(Site):
    """A site behind a limiter; it logs the time of each request, and whether it was refused."""

    def __init__(self, answers: dict[str, CannedResponse], limiter: Limiter) -> None:
        super().__init__(answers)
        self._limiter = limiter
        self._rng = random.Random(1)
        self._began: float | None = None
        self.times: list[tuple[float, bool]] = []

    def answer(self, path: str, now: float) -> CannedResponse:
        """The answer of the site, if the limiter allows it."""
        if self._began is None:
            self._began = now
        verdict = self._limiter.answer(now - self._began, 0, self.connections.open, self._rng)
        self.times.append((now - self._began, verdict.is_throttled))
        if not verdict.is_throttled:
            return super().answer(path, now)
        if verdict.retry_after_s is None:
            return CannedResponse(TOO_MANY, 429, "text/html")
        return CannedResponse(TOO_MANY, 503, "text/html", {"Retry-After": f"{verdict.retry_after_s:.0f}"})


def main() -> None:
    """Serves until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--limiter", choices=LIMITERS, required=True)
    parser.add_argument("--photos", type=Path, required=True)
    arguments = parser.parse_args()
    answers = {f"/photos/{path.name}": CannedResponse(path) for path in arguments.photos.iterdir()}
    site = LimitedSite(answers, LIMITERS[arguments.limiter]())
    trio.run(_serve, site)
    print(json.dumps(site.times))


async def _serve(site: LimitedSite) -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            print(await nursery.start(partial(serve, site)), flush=True)
            await anext(signals)
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    main()
