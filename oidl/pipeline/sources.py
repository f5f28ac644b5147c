"""Where an image may be had, and in which order. Pure.

The rule: each source is asked once in one try at an image, until one of them has
it. What the others came to travels along in `Work.tried`; whether they are asked
again, all of them, is `retry`'s to say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from oidl.model import Failure, Fetched, Reason, Source, Work
from oidl.net.hosts import host_of
from oidl.net.transfer import Download
from oidl.settings import MAX_IMAGE_BYTES

THUMBNAIL_CAP_BYTES = 1_200_000  # as the older downloader had it; a 640 px JPEG has 100-400 kB
_MIRROR_CAP_BYTES = 3_000_000  # of at most 1024 pixels, 300 kB on average
_ABSENT = (403, 404)  # 403 is what S3 says of a name that is not there to whoever may not list names


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources of a run, the first to be asked first; `mirrors` are the catalogue's, by source.

    Nothing longer than `max_image_bytes` is read, whatever the list says.
    """

    order: tuple[Source, ...]
    mirrors: Mapping[str, str]
    max_image_bytes: int = MAX_IMAGE_BYTES

    def download(self, work: Work) -> Download:
        """What is to be fetched of `work` now."""
        places = self._places(work)
        return places[min(len(work.tried), len(places) - 1)]

    def after(self, work: Work, failure: Failure) -> Work | None:
        """`work` as it is to be fetched from the next source; None where there is none, or it would be no use."""
        if failure.reason is Reason.DISK or len(work.tried) + 1 >= len(self._places(work)):
            return None
        return replace(work, tried=(*work.tried, failure))

    def _places(self, work: Work) -> list[Download]:
        # Thumbnails are passed over where there are none, unless nothing else may be asked.
        order = [source for source in self.order if source is not Source.THUMBNAIL_300K or work.thumbnail_300k_url]
        return [self._place(source, work) for source in order or self.order[:1]]

    def _place(self, source: Source, work: Work) -> Download:
        if source is Source.THUMBNAIL_300K:
            cap_bytes = min(max(THUMBNAIL_CAP_BYTES, work.original_size), self.max_image_bytes)
            return Download(work.thumbnail_300k_url, source, None, cap_bytes)
        if source is Source.CVDF:
            url = self.mirrors[source].replace("{subset}", work.subset).replace("{image_id}", work.image_id)
            return Download(url, source, None, min(_MIRROR_CAP_BYTES, self.max_image_bytes))
        cap_bytes = min(work.original_size, self.max_image_bytes)
        return Download(work.original_url, source, work.original_size, cap_bytes)


def is_other_site(url: str, other: str) -> bool:
    """Whether two URLs are of different sites: neither of one host and port, nor of sister hosts of one domain."""
    (host, _, port), (other_host, _, other_port) = host_of(url).partition(":"), host_of(other).partition(":")
    return port != other_port or _domain(host) != _domain(other_host)


def _domain(host: str) -> str:
    """The last two names of a host, or all of an address."""
    return host if host.replace(".", "").isdigit() else ".".join(host.split(".")[-2:])


def explained(download: Download, fetched: Fetched | Failure | None) -> Fetched | Failure | None:
    """`fetched`, where a mirror that has not got the image has not failed: it has but some of them."""
    if download.source is Source.CVDF and isinstance(fetched, Failure) and fetched.http_status in _ABSENT:
        detail = f"not on the mirror (HTTP {fetched.http_status})"
        return replace(fetched, reason=Reason.NOT_FOUND, detail=detail, is_not_mirrored=True)
    return fetched
