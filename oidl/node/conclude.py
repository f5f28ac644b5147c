"""Decides what the result of an attempt means for its job: the next source is asked, or the job is over."""

import trio

from oidl.model import Blame, Done, Failure, Fetched, Postponed, Reason, Source
from oidl.node.attempt import Attempt, Outcome
from oidl.node.scheduler import HostScheduler
from oidl.node.sources import Sources
from oidl.node.stop import Stop
from oidl.node.worker import WorkerDiedError
from oidl.progress.meter import Meter

_DEATHS = 2  # of workers at one image: then it is the reason
_KILLS = 4  # the same, if the last one was killed from outside
_LOSSES = 3  # of workers that only fetched it, among others: then it is suspected


class Conclusion:
    """Concludes every attempt, in whichever stage it ends: back to `scheduler`, or out through `outcomes`.

    With `trusts_local`, originals on disk are used without checking their MD5, so a bad one is no evidence about the
    image.
    """

    def __init__(
        self,
        scheduler: HostScheduler,
        sources: Sources,
        outcomes: trio.MemorySendChannel[Outcome],
        stop: Stop,
        meter: Meter,
        *,
        trusts_local: bool,
    ) -> None:
        self._scheduler = scheduler
        self._sources = sources
        self._outcomes = outcomes
        self._stop = stop
        self._meter = meter
        self._trusts_local = trusts_local

    async def conclude(self, attempt: Attempt, result: Done | Failure | Postponed | None) -> None:
        """Ends `attempt` with its result; None means that it has none, because the run drains."""
        if isinstance(result, Postponed):
            result = self._as_failure(attempt, result)
        if isinstance(result, Failure):
            result = self._sources.attributed(attempt.download, result)
            following = self._following(attempt, result)
            if following and not self._stop.draining.is_set():
                self._meter.dropped(attempt.job)
                self._scheduler.put(following)
                return
            if following:  # the run drains: no new request is made, and without one nothing is decided
                result = None
        if result is None:
            self._meter.dropped(attempt.job)
        await self._outcomes.send(Outcome(attempt.job, result, attempt.failures))
        self._scheduler.finished()

    async def worker_died(self, attempt: Attempt, error: WorkerDiedError, at: Fetched | None = None) -> None:
        """The worker of `attempt` died; `at` is the body that it had, None if it had none.

        The image is tried again. If it was being processed, or fetched at several deaths, it may be the reason: it is
        tried alone, and if that ends in the same way, it cannot be used.
        """
        is_suspect = error.was_processing or attempt.deaths or attempt.losses + 1 >= _LOSSES
        attempt = attempt.after_death() if is_suspect else attempt.after_loss()
        if attempt.deaths >= (_KILLS if error.was_killed else _DEATHS):
            await self.conclude(attempt, _deadly(attempt, error, at))
        elif self._stop.draining.is_set():
            await self.conclude(attempt, None)
        else:
            self._meter.dropped(attempt.job)
            self._scheduler.put(attempt)

    def _as_failure(self, attempt: Attempt, postponed: Postponed) -> Failure | Postponed:
        """A failure instead of `postponed`, if another source can help now or was asked before."""
        failure = Failure(
            postponed.reason,
            postponed.detail,
            retry_after_s=postponed.wait_s,
            source=attempt.download.source,
            url=attempt.download.url,
            blame=Blame.NOT_ASKED,
        )
        # A pause will end; an unreachable host may stay unreachable for ever.
        is_pause = postponed.reason is Reason.RATE_LIMITED
        if attempt.failures or (not is_pause and self._sources.next(attempt, failure)):
            return failure
        return postponed

    def _following(self, attempt: Attempt, failure: Failure) -> Attempt | None:
        """The attempt that follows the failed `attempt`; None if that was the last."""
        is_bad_local = self._trusts_local and failure.source == Source.LOCAL and failure.blame is not Blame.IMAGE
        if is_bad_local and failure.reason is not Reason.DISK:
            return attempt.without_local()
        return self._sources.next(attempt, failure)


def _deadly(attempt: Attempt, error: WorkerDiedError, at: Fetched | None) -> Failure:
    """The failure of an image that workers die at: while they decode the body `at`, or else while they fetch it."""
    detail = f"{attempt.deaths} worker processes died while they {'decoded' if at else 'fetched'} it; the last one "
    if at is None:
        download = attempt.download
        return Failure(Reason.INTERNAL_ERROR, detail + error.message, source=download.source, url=download.url)
    url = None if at.source == Source.LOCAL else at.url
    return Failure(Reason.CORRUPT, detail + error.message, source=at.source, url=url, blame=Blame.IMAGE)
