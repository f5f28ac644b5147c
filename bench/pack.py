"""Shards made from many small files: `oidl pack` against one loop with tarfile that writes the same members."""

import argparse
import io
import json
import shutil
import sqlite3
import statistics
import struct
import tarfile
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path

from bench.load import write_list
from bench.measure import Usage, machine, measured

_LENGTH = struct.Struct("<I")
_RENDITION = "images-resized"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--bytes", type=int, default=4_000, help="of an image")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--format", default="webdataset")
    parser.add_argument("--shuffle", action="store_true")
    parser.add_argument("--cluster", type=int, default=0, help="also pack by so many workers of a Dask cluster")
    parser.add_argument("--directory", type=Path, help="where to work; a temporary directory if not given")
    parser.add_argument("--plain", type=Path, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> None:
    """Prints how long each takes, one after the other several times, and the peak memory of `oidl pack`."""
    if arguments.plain:
        _plain(arguments.plain)
        return
    with tempfile.TemporaryDirectory(prefix="oidl-bench-", dir=arguments.directory) as name:
        root = Path(name) / "root"
        root.mkdir()
        _make_root(root, arguments.images, arguments.bytes)
        print(f"{machine()}; {arguments.images:,} images of {arguments.bytes:,} bytes\n")
        ours, plain = [], []
        options = [f"--format={arguments.format}", *(["--shuffle"] if arguments.shuffle else [])]
        for number in range(arguments.rounds + 1):
            dest = Path(name) / "shards"
            shutil.rmtree(dest, ignore_errors=True)
            again = ["--again"] if number else []
            usage = _checked(["-m", "oidl", "pack", f"--root-dir={root}", f"--dest={dest}", *options, *again])
            if not number:  # the first one warms the file cache, and has what the loop writes
                if arguments.format == "webdataset":
                    _note_members(root, dest)
                continue
            ours.append(usage)
            if arguments.format == "webdataset":
                plain.append(_checked(["-m", "bench", "pack", f"--plain={root}"]))
        _print("`oidl pack`", ours, arguments.images)
        if arguments.cluster:
            from bench.cluster_pack import measure_coordinator

            dest = Path(name) / "by-workers"
            measure_coordinator(root, dest, arguments.images, arguments.cluster, arguments.rounds, options)
        if plain:
            _print("a loop with tarfile", plain, arguments.images)
            ratios = [other.wall_s / usage.wall_s for usage, other in zip(ours, plain, strict=True)]
            print(f"\n{statistics.median(ratios):.2f} times as fast as the loop ({min(ratios):.2f}–{max(ratios):.2f})")


def _make_root(root: Path, images: int, size: int) -> None:
    """A root whose images are all there, as files that are no real images."""
    write_list(root / "list.csv", images, "http://127.0.0.1:9")
    load = ["-m", "oidl", "run", f"--root-dir={root}", f"--images-csv={root / 'list.csv'}"]
    _checked([*load, "--limit=0", "--no-export-csv", "--no-download-metadata"])
    with closing(sqlite3.connect(root / "oidl.sqlite3")) as db:
        (version,) = db.execute("SELECT directory FROM image_list").fetchone()
        home = root / version / "train" / _RENDITION
        for (prefix,) in db.execute("SELECT DISTINCT substr(image_id, 1, 3) FROM image"):
            (home / prefix).mkdir(parents=True)
        for number, (image_id,) in enumerate(db.execute("SELECT image_id FROM image")):
            (home / image_id[:3] / f"{image_id}.jpg").write_bytes(number.to_bytes(8, "big") * (size // 8))
        db.execute("UPDATE download SET status = 'done', width = 640, height = 480, source = 'original', md5 = 'x'")
        db.execute(
            "INSERT OR IGNORE INTO rendition (name, directory, mode, box_size, format) "
            "VALUES (?1, ?1, 'ShrinkToFit', 224, 'jpg')",
            (_RENDITION,),
        )
        db.execute(
            "INSERT INTO file "
            "(image_id, rendition, path, bytes, width, height, scaled_width, scaled_height, written_at) "
            "SELECT image_id, :name, :home || substr(image_id, 1, 3) || '/' || image_id || '.jpg', :size, 224, 168, "
            "224, 168, '2026' FROM image ORDER BY image_id",
            {"name": _RENDITION, "home": f"{home.relative_to(root)}/", "size": size // 8 * 8},
        )
        db.commit()


def _note_members(root: Path, dest: Path) -> None:
    """Writes the paths of the images and the texts next to them, in the order of the shards, for the loop."""
    with open(root / "members", "wb") as out:
        for path in sorted(dest.glob("*.tar")):
            with tarfile.open(path) as archive:
                for member in archive:
                    file = archive.extractfile(member)
                    assert file is not None
                    if member.name.endswith(".json"):
                        text = file.read()
                        image_id = json.loads(text)["image_id"]
                        out.write(_LENGTH.pack(len(text)) + image_id.encode() + text)


def _plain(root: Path) -> None:
    """The obvious code: reads each image, and writes it and its text into a tar of 10,000 images."""
    (home,) = root.glob(f"*/train/{_RENDITION}")
    dest = root.parent / "plain"
    shutil.rmtree(dest, ignore_errors=True)
    dest.mkdir()
    with open(root / "members", "rb") as members, ExitStack() as archives:
        number = 0
        while head := members.read(_LENGTH.size + 16):
            image_id, text = head[_LENGTH.size :].decode(), members.read(_LENGTH.unpack_from(head)[0])
            if number % 10_000 == 0:
                archives.close()
                path = dest / f"{number // 10_000:05d}.tar"
                archive = archives.enter_context(tarfile.open(path, "w", format=tarfile.USTAR_FORMAT))
            body = (home / image_id[:3] / f"{image_id}.jpg").read_bytes()
            for suffix, data in (("jpg", body), ("json", text)):
                info = tarfile.TarInfo(f"{image_id}.{suffix}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
            number += 1


def _checked(arguments: list[str]) -> Usage:
    usage = measured(arguments)
    assert usage.exit_code in (0, 3), usage.output
    return usage


def _print(what: str, usages: list[Usage], images: int) -> None:
    wall = statistics.median(usage.wall_s for usage in usages)
    cpu = statistics.median(usage.cpu_s for usage in usages)
    peak = max(usage.peak_mb for usage in usages)
    print(f"{what}: {images / wall:,.0f} images/s, {wall:.1f} s, {cpu:.1f} s of CPU, {peak:.0f} MB at most", flush=True)
