"""The time that work takes: waiting for a disk counts, waiting for a busy processor does not."""

import threading
import time

from oidl.node.threads import timed

_ENOUGH_S = 0.005


def spin() -> float:
    """Uses the processor for a while; returns how long, in seconds of CPU."""
    began = time.thread_time()
    while (used_s := time.thread_time() - began) < _ENOUGH_S:
        pass
    return used_s


def test_work_that_only_uses_the_processor_takes_its_cpu_time() -> None:
    # Other threads of this process may take the interpreter away, which counts as waiting.
    shares = [took_s / used_s for used_s, took_s in (timed(spin) for _ in range(20))]
    assert 0.5 <= min(shares) <= 1.5


def test_work_that_waits_takes_the_time_that_it_waits() -> None:
    begins, has_ended = threading.Event(), threading.Event()
    spent: list[float] = []

    def other() -> None:
        begins.wait()
        began = time.perf_counter()
        spin()
        spent.append(time.perf_counter() - began)
        has_ended.set()

    def wait() -> None:
        begins.set()
        has_ended.wait()

    thread = threading.Thread(target=other)
    thread.start()
    _, took_s = timed(wait)
    thread.join()
    assert took_s >= spent[0]
