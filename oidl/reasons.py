"""Why an image could not be obtained: each reason, its meaning, and what is likely wrong if all fail for it. Pure.

A new reason is a member here and a rule in `pipeline.retry`. Status, summary, report, web page and manual show the
meaning; a run that stops because everything fails for one reason shows the diagnosis.
"""

from enum import StrEnum

from oidl.hints import command

_RARE = "images rarely all fail for the same reason; check {status} before running again"
_OTHER_FILES = "the files are not the published ones; is it the right image list, or does a proxy change images?"
_NO_FILES = "the server has none of these images; is it the right image list, or did the server lose its files?"


class Reason(StrEnum):
    """Why an image could not be obtained; `pipeline.retry` decides which reasons may pass.

    `meaning` is about one image. `diagnosis_text` is about a run; {status} and {failures} in it stand for commands.
    """

    meaning: str
    diagnosis_text: str

    def __new__(cls, value: str, meaning: str, diagnosis_text: str) -> "Reason":
        """A reason that is the text `value`."""
        self = str.__new__(cls, value)
        self._value_ = value
        self.meaning = meaning
        self.diagnosis_text = diagnosis_text
        return self

    @classmethod
    def of(cls, text: str | None) -> "Reason | None":
        """The reason that `text` names; None if there is none, because users can edit the database."""
        member = cls._value2member_map_.get(text)
        return member if isinstance(member, Reason) else None

    UNAVAILABLE = "unavailable", "the photo was taken down (a placeholder is served instead)", _RARE
    NOT_FOUND = "not_found", "the photo is no longer there (404)", _NO_FILES
    GONE = "gone", "the photo was removed (410)", _NO_FILES
    FORBIDDEN = (
        "forbidden",
        "the photo is no longer public (403)",
        "the server or a proxy refuses this address; wait, or use another network",
    )
    SIZE_MISMATCH = "size_mismatch", "the file changed: not the published size", _OTHER_FILES
    MD5_MISMATCH = "md5_mismatch", "the file changed: not the published MD5", _OTHER_FILES
    NOT_AN_IMAGE = (
        "not_an_image",
        "something other than an image was served",
        "web pages arrive instead of images; does the network require a login, or does a proxy interfere?",
    )
    CORRUPT = "corrupt", "the image is damaged, or part of it is missing", _RARE
    HTTP_ERROR = (
        "http_error",
        "another HTTP error",
        "the server or a proxy answers with errors; open one of the URLs in {failures}",
    )
    RATE_LIMITED = (
        "rate_limited",
        "the server asked for fewer requests",
        "the server wants fewer requests; wait a while, then lower --max-host-connections",
    )
    TIMEOUT = (
        "timeout",
        "no connection, or no data, within the timeout",
        "no data arrives in time; is the network up, or does the server block this address?",
    )
    TOO_SLOW = (
        "too_slow",
        "the transfer did not finish in time",
        "the network is too slow for so many connections; lower --max-total-connections",
    )
    CONNECTION = (
        "connection",
        "the host could not be reached, or the connection broke",
        "connections are refused or break; is the server up, is there a firewall, does the proxy work?",
    )
    DNS = (
        "dns",
        "the host name could not be resolved",
        "host names are not resolved; is the network up, does its DNS server answer?",
    )
    TLS = (
        "tls",
        "the server's certificate or TLS is not valid",
        "certificates are refused; if a proxy decrypts TLS, set SSL_CERT_FILE to its certificate",
    )
    TOO_LARGE = "too_large", "the file or the image is larger than allowed", _RARE
    RESIZE_FAILED = "resize_failed", "the image could not be resized", _RARE
    LICENSE = "license", "it was removed because of its licence (--license)", _RARE
    INTERNAL_ERROR = "internal_error", "oidl failed on this image; the log has the traceback", "this is a bug in oidl"
    DISK = "disk", "the file could not be written", _RARE


def meaning(reason: str) -> str:
    """What `reason` means for an image; it may be any text."""
    known = Reason.of(reason)
    return known.meaning if known else "not a reason that oidl knows"


def diagnosis(reason: Reason) -> str:
    """What is likely wrong if every image fails for `reason`, and what to do about it."""
    return reason.diagnosis_text.format(status=command("status"), failures=command("status", "--failures"))
