"""What the coordinator of a pack on a Dask cluster costs: its CPU for an image, without its start."""

import multiprocessing
import shutil
import statistics
from pathlib import Path

from bench.dask_workers import scheduler, work
from bench.measure import Usage, measured


def measure_coordinator(root: Path, dest: Path, images: int, workers: int, rounds: int, options: list[str]) -> None:
    """Prints the median over some packs of `root` by so many workers."""
    context = multiprocessing.get_context("forkserver")
    with scheduler() as dask:
        address = dask.scheduler.address
        processes = [context.Process(target=work, args=(address,), daemon=True) for _ in range(workers)]
        for process in processes:
            process.start()
        dask.wait_for_workers(workers)
        pack = ["-m", "oidl", "pack", f"--root-dir={root}", f"--cluster={address}", *options]
        begun: list[Usage] = []
        packed: list[Usage] = []
        for _ in range(rounds):
            shutil.rmtree(dest, ignore_errors=True)
            for usages, more in (
                (begun, [f"--dest={dest / 'one'}", "--limit=1"]),
                (packed, [f"--dest={dest / 'all'}"]),
            ):
                usages.append(usage := measured([*pack, *more, "--again"]))
                assert usage.exit_code == 0, usage.output
        for process in processes:
            process.kill()
    start_s, cpu_s = (statistics.median(usage.cpu_s for usage in usages) for usages in (begun, packed))
    print(
        f"the coordinator of {workers} workers: {(cpu_s - start_s) / images * 1e6:.0f} us of CPU for an image and "
        f"{start_s:.1f} s to start, {max(usage.peak_mb for usage in packed):.0f} MB at most"
    )
