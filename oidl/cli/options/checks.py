"""Which values of `oidl run`'s options make no sense."""

from typing import TYPE_CHECKING

from oidl.errors import UsageError
from oidl.text import suggestion

if TYPE_CHECKING:
    from oidl.cli.options.run import RunOptions


def check_options(options: "RunOptions", known_subsets: tuple[str, ...]) -> None:
    """Raises `UsageError` for the first value of `options` that makes no sense."""
    for subset in options.subset:
        if subset not in known_subsets:
            raise UsageError(f"--subset: there is no subset {subset!r}", hint=suggestion(subset, known_subsets))
    for option, value, least in (
        ("--limit", options.limit, 0),
        ("--resize-box-size", options.resize_box_size, 1),
        ("--max-total-connections", options.max_total_connections, 1),
        ("--max-host-connections", options.max_host_connections, 1),
        ("--max-retries", options.max_retries, 1),
        ("--max-wait", options.max_wait, 0),
        ("--confirm-after", options.confirm_after, 0),
        ("--max-retry-after", options.max_retry_after, 0),
        ("--max-pixels", options.max_pixels, 1),
        ("--threads", options.threads, 1),
    ):
        if value is not None and not value >= least:
            raise UsageError(f"{option} must be at least {least}, not {value}")
    for option, amount in (
        ("--connect-timeout", options.connect_timeout),
        ("--dns-timeout", options.dns_timeout),
        ("--tls-timeout", options.tls_timeout),
        ("--stall-timeout", options.stall_timeout),
        ("--min-speed", options.min_speed),
        ("--max-failure-rate", options.max_failure_rate),
        ("--max-rps", options.max_rps),
        ("--limit-rate", options.limit_rate),
    ):
        if amount is not None and not 0 < amount < float("inf"):
            raise UsageError(f"{option} must be more than 0, not {amount}")
    agent = options.user_agent
    if agent is not None and not (agent.strip() and agent.isascii() and agent.isprintable()):
        raise UsageError(f"--user-agent is plain text like oidl/1.0 (me@example.org), not {agent!r}")
    if options.resize_box_size > 65_500:
        raise UsageError(f"--resize-box-size must be at most 65500, not {options.resize_box_size}")
    if options.resize_compression_quality is not None and not 1 <= options.resize_compression_quality <= 100:
        raise UsageError(f"--resize-compression-quality is 1 to 100, not {options.resize_compression_quality}")
    if not options.resize_output_format.isalnum() or not options.resize_output_format.isascii():
        raise UsageError(f"--resize-output-format is a suffix like jpg, not {options.resize_output_format!r}")
