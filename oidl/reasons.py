"""What each reason means, and what is likely wrong when every image fails for it. Pure.

A new reason needs a member of `model.Reason`, a row here and a rule in `pipeline.retry`. Status, summary, report, web
page and manual show the meaning; a run that stops because everything fails alike shows the diagnosis.
"""

from dataclasses import dataclass

from oidl.hints import command
from oidl.model import Reason


@dataclass(frozen=True, slots=True)
class Explanation:
    """`meaning` is about one image. `diagnosis` is about a run; {status} and {failures} in it stand for commands."""

    meaning: str
    diagnosis: str


_RARE = "images rarely all fail for the same reason; check {status} before running again"
_OTHER_FILES = "the files are not the published ones; is it the right image list, does a proxy change images?"
_NO_FILES = "the server has none of these images; is it the right image list, did the server lose its files?"

EXPLANATIONS: dict[Reason, Explanation] = {
    Reason.UNAVAILABLE: Explanation("the photo was taken down (a placeholder is served instead)", _RARE),
    Reason.NOT_FOUND: Explanation("the photo is no longer there (404)", _NO_FILES),
    Reason.GONE: Explanation("the photo was removed (410)", _NO_FILES),
    Reason.FORBIDDEN: Explanation(
        "the photo is no longer public (403)",
        "the server or a proxy refuses this address; wait, or use another network",
    ),
    Reason.SIZE_MISMATCH: Explanation("the file changed: not the published size", _OTHER_FILES),
    Reason.MD5_MISMATCH: Explanation("the file changed: not the published MD5", _OTHER_FILES),
    Reason.NOT_AN_IMAGE: Explanation(
        "something other than an image was served",
        "web pages arrive instead of images; does the network require a login, does a proxy interfere?",
    ),
    Reason.CORRUPT: Explanation("the image is damaged, or part of it is missing", _RARE),
    Reason.HTTP_ERROR: Explanation(
        "another HTTP error",
        "the server or a proxy answers with errors; open one of the URLs in {failures}",
    ),
    Reason.RATE_LIMITED: Explanation(
        "the server asked for fewer requests",
        "the server wants fewer requests; wait a while, then lower --max-host-connections",
    ),
    Reason.TIMEOUT: Explanation(
        "no connection, or no data, within the timeout",
        "no data arrives in time; is the network up, does the server block this address?",
    ),
    Reason.TOO_SLOW: Explanation(
        "the transfer did not finish in time",
        "the network is too slow for so many connections; lower --max-total-connections",
    ),
    Reason.CONNECTION: Explanation(
        "the host could not be reached, or the connection broke",
        "connections are refused or break; is the server up, is there a firewall, does the proxy work?",
    ),
    Reason.DNS: Explanation(
        "the host name could not be resolved",
        "host names are not resolved; is the network up, does its DNS server answer?",
    ),
    Reason.TLS: Explanation(
        "the server's certificate or TLS is not valid",
        "certificates are refused; if a proxy decrypts TLS, set SSL_CERT_FILE to its certificate",
    ),
    Reason.TOO_LARGE: Explanation("the file or the image is larger than allowed", _RARE),
    Reason.RESIZE_FAILED: Explanation("the image could not be resized", _RARE),
    Reason.INTERNAL_ERROR: Explanation(
        "oidl failed on this image; the log has the traceback",
        "this is a bug in oidl",
    ),
    Reason.DISK: Explanation("the file could not be written", _RARE),
}


def meaning(reason: str) -> str:
    """What `reason` means for an image; it may be any text, because users can edit the database."""
    try:
        return EXPLANATIONS[Reason(reason)].meaning
    except ValueError:
        return "not a reason that oidl knows"


def diagnosis(reason: Reason) -> str:
    """What is likely wrong if every image fails for `reason`, and what to do about it."""
    text = EXPLANATIONS[reason].diagnosis
    return text.format(status=command("status"), failures=command("status", "--failures"))
