"""The same images through img2dataset, if it is installed in an environment of its own."""

import base64
import csv
import os
import subprocess
import tarfile
import time
from pathlib import Path

_THREADS = 32
_HASHES = '["md5","md5"]'  # computes it, and compares it with the column `md5`


def peer_list(image_list: Path) -> Path:
    """An image list in the peer's form, beside `image_list`: URL and MD5 in hex."""
    path = image_list.with_suffix(".peer.csv")
    with open(image_list, encoding="utf-8", newline="") as rows, open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["url", "md5"])
        for row in csv.DictReader(rows):
            writer.writerow([row["OriginalURL"], base64.b64decode(row["OriginalMD5"]).hex()])
    return path


def peer_speed(
    program: Path, image_list: Path, output: Path, box: int, processes: int, count: int, form: str = "files"
) -> tuple[float, float]:
    """The images per second that `program`, the peer's command, makes with its MD5 check on, and CPU ms for each.

    Both include its start-up.

    `form` is its output format: files or webdataset.
    """
    command: list[str | Path] = [
        program, image_list, f"--output_folder={output}", "--input_format=csv", "--url_col=url",
        f"--output_format={form}", f"--image_size={box}", "--resize_mode=keep_ratio_largest",
        "--resize_only_if_bigger=True", f"--processes_count={processes}", f"--thread_count={_THREADS}",
        "--number_sample_per_shard=1000", "--compute_hash=md5", f"--verify_hash={_HASHES}", "--enable_wandb=False",
    ]  # fmt: skip
    started, before = time.perf_counter(), os.times()
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"NO_ALBUMENTATIONS_UPDATE": "1"})
    took_s, after = time.perf_counter() - started, os.times()
    cpu_s = sum(after[2:4]) - sum(before[2:4])  # of children that have ended
    made = sum(1 for _ in output.rglob("*.jpg"))
    for shard in output.rglob("*.tar"):
        with tarfile.open(shard) as archive:
            made += sum(name.endswith(".jpg") for name in archive.getnames())
    assert made == count, f"the peer made {made} of {count} images"
    return count / took_s, 1000 * cpu_s / count
