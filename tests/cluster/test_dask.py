"""What Dask would print over the screen is not printed."""

import subprocess
import sys

_LEFT_BEHIND = """
import asyncio, logging
from oidl.cluster.dask import _quiet

async def main():
    for leaves_it in (lambda future: None, lambda future: future.exception()):
        future = asyncio.get_running_loop().create_future()
        future.set_exception(TimeoutError("Timeout"))
        leaves_it(future)
        del future

if {is_quiet}:
    _quiet()
asyncio.run(main())
logging.getLogger("distributed").error("it is gone")
"""


def printed(*, is_quiet: bool) -> str:
    program = _LEFT_BEHIND.format(is_quiet=is_quiet)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stderr


def test_neither_dask_nor_its_event_loop_prints_anything() -> None:
    assert printed(is_quiet=True) == ""
    loud = printed(is_quiet=False)
    assert loud.count("Future exception was never retrieved") == 1
    assert "it is gone" in loud
