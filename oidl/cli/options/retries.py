"""Options: what is tried again, how often and when."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from oidl.cli.options.groups import DOWNLOAD, NETWORK, in_section
from oidl.cli.options.lists import list_of
from oidl.cli.options.types import A_WAIT, AT_LEAST_ONE, AT_LEAST_ZERO
from oidl.model import Reason
from oidl.settings import Retries

_RETRIES = Retries()
_REASONS = list_of("reason", "forbidden,md5_mismatch", Reason, takes_all=True, needs_value=False)


@dataclass(frozen=True, kw_only=True)
@in_section(NETWORK)
class RetryOptions:
    """Retries."""

    retry_failed: Annotated[tuple[Reason, ...] | None, _REASONS, Parameter(group=DOWNLOAD)] = _RETRIES.failed
    """Also try images that failed for good: for all reasons but `license`, or for these, like `forbidden,license`."""

    retry_now: Annotated[bool, Parameter(group=DOWNLOAD)] = _RETRIES.now
    """Do not wait for pauses and retry times that earlier runs left; nor does `--retry-failed`."""

    max_retries: Annotated[int, AT_LEAST_ONE] = _RETRIES.max_tries
    """Maximum number of tries of one image in one run."""

    max_wait: Annotated[float, AT_LEAST_ZERO] = _RETRIES.max_wait_s
    """Seconds to wait at the end of a run for retries that are due within that time."""

    confirm_after: Annotated[float, A_WAIT] = _RETRIES.confirm_after_s
    """Seconds before the second try after a failure that may be the network's (a web page, a 403); then twice that."""

    def settings(self) -> Retries:
        """What is tried again."""
        return Retries(self.max_retries, self.max_wait, self.confirm_after, self.retry_failed, self.retry_now)
