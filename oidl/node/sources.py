"""The sources that an image can be fetched from, and their order. Pure.

In one try each source is asked once, until one of them has the image. `Attempt.failures` keeps the failures at earlier
sources; `pipeline.retry` decides whether all of them are asked again, and when.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from oidl.dataset.published import Mirror
from oidl.model import Blame, Failure, Job, Reason, Source
from oidl.net.answer import Download
from oidl.net.known_hosts import host_of
from oidl.node.attempt import Attempt
from oidl.settings import MAX_IMAGE_BYTES

THUMBNAIL_CAP_BYTES = 1_200_000  # as in the older downloader; a 640 px JPEG has 100-400 kB
_ADDRESS = re.compile("[0-9.]+")


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources of a run, in the order in which they are asked; `mirrors` are those of the catalogue.

    At most `max_image_bytes` of an image are read, whatever the list says.
    """

    order: tuple[Source, ...]
    mirrors: Mapping[str, Mirror]
    max_image_bytes: int = MAX_IMAGE_BYTES

    def first(self, job: Job) -> Attempt:
        """The first attempt of a try of `job`."""
        return Attempt.at(self._downloads(job)[0], job)

    def next(self, attempt: Attempt, failure: Failure) -> Attempt | None:
        """The attempt at the next source after `attempt` failed; None if there is none, or the disk is the problem."""
        at = len(attempt.failures) + 1
        downloads = self._downloads(attempt.job)
        if failure.reason is Reason.DISK or at >= len(downloads):
            return None
        return Attempt.at(downloads[at], attempt.job, (*attempt.failures, failure))

    def _downloads(self, job: Job) -> list[Download]:
        # Skip thumbnails for an image that has none, unless they are the only source.
        order = [source for source in self.order if source != Source.THUMBNAIL_300K or job.thumbnail_300k_url]
        return [self._download(source, job) for source in order or self.order[:1]]

    def _download(self, source: Source, job: Job) -> Download:
        if source == Source.THUMBNAIL_300K:
            cap_bytes = min(max(THUMBNAIL_CAP_BYTES, job.original_size), self.max_image_bytes)
            return Download(job.thumbnail_300k_url, source, None, cap_bytes)
        if source.is_mirror:
            mirror = self.mirrors[source]
            url = mirror.url_of(job.subset, job.image_id)
            return Download(url, source, None, min(mirror.max_bytes, self.max_image_bytes))
        cap_bytes = min(job.original_size, self.max_image_bytes)
        return Download(job.original_url, source, job.original_size, cap_bytes)

    def attributed(self, download: Download, failure: Failure) -> Failure:
        """`failure`, blamed according to where it happened.

        If a redirect led to another site, its answer is evidence about the path. A mirror that lacks an image has
        not failed.
        """
        if failure.blame is not Blame.SERVER:
            return failure
        if failure.url and is_other_site(failure.url, download.url):
            return replace(failure, blame=Blame.PATH)
        if download.source.is_mirror and failure.http_status in self.mirrors[download.source].absent:
            detail = f"not on the mirror (HTTP {failure.http_status})"
            return replace(failure, reason=Reason.NOT_FOUND, detail=detail, blame=Blame.MIRROR)
        return failure


def is_other_site(url: str, other: str) -> bool:
    """Whether two URLs belong to different sites: neither the same host and port, nor sister hosts of one domain."""
    (host, _, port), (other_host, _, other_port) = host_of(url).partition(":"), host_of(other).partition(":")
    return port != other_port or _domain(host) != _domain(other_host)


def _domain(host: str) -> str:
    """The last two labels of a host name, or a whole IP address."""
    return host if _ADDRESS.fullmatch(host) else ".".join(host.split(".")[-2:])
