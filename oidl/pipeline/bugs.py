"""Stops a run because of bugs in oidl, and says where their tracebacks are."""

import logging

from oidl.node.stop import Stop

_IN_A_ROW = 10  # bugs without any other outcome between them

log = logging.getLogger("oidl")


class BugCount:
    """Stops the run at its tenth `internal_error` in a row, or at its end if every outcome was one."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._in_a_row = 0
        self._has_others = False

    def count(self, *, is_bug: bool) -> None:
        """Counts one outcome."""
        self._in_a_row = self._in_a_row + 1 if is_bug else 0
        self._has_others |= not is_bug
        if self._in_a_row == _IN_A_ROW:
            self._stop.bug_found(f"the last {_IN_A_ROW} images all failed because of a bug in oidl")

    def run_ends(self) -> None:
        """Judges the whole run, when all outcomes are counted."""
        if self._in_a_row and not self._has_others:
            self._stop.bug_found("every image of this run failed because of a bug in oidl")


def find_tracebacks() -> str:
    """The hint that says where the tracebacks are."""
    for handler in log.handlers:
        if isinstance(handler, logging.FileHandler):
            return f"report it with the tracebacks in {handler.baseFilename}"
    if any(isinstance(handler, logging.StreamHandler) for handler in log.handlers):
        return "report it with the tracebacks in the log above"
    return "run again with --log-file oidl.log, and report it with the tracebacks there"
