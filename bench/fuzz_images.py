"""Sends mutated images through the whole pipeline: no traceback, no crash, no hang, no other image lost."""

import argparse
import base64
import hashlib
import multiprocessing
import os
import random
import resource
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from bench.measure import machine
from bench.site import served, write_image_list
from oidl.cores import usable_cores
from oidl.imaging.photo import photo
from oidl.imaging.vips import pyvips
from oidl.model import ORIGINAL, Done, Fetched, Job, Orientation, Rendition, ResizeMode, Source, Validation
from oidl.node.process import Processor
from oidl.settings import Imaging, Layout, SourceSettings
from oidl.storage.atomic import AtomicWriter
from oidl.storage.files import Files

_BATCH = 100
_BATCH_S = 600  # for a batch, more than ten times what one takes
_IMAGE_S = 20  # CPU seconds for one image; `oidl.imaging.cost` has those of the worst that is accepted
_RUN_IMAGES, _RUN_WHOLE, _RUN_S = 400, 100, 300
_NUMBERS = (0, 1, 2, 7, 8, 12, 16, 32, 127, 128, 255, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF)

_RENDITIONS = (
    Rendition(ORIGINAL, "originals"),
    Rendition("fit", "fit", ResizeMode.SHRINK_TO_FIT, 64, "jpg"),
    Rendition("crop", "crop", ResizeMode.FILL_CROP, 48, "jpg", 80, orientation=Orientation.DATASET, force_rgb=True),
    Rendition("border", "border", ResizeMode.BORDER, 48, "png", background="ff8000"),
    Rendition("webp", "webp", ResizeMode.FILL_DISTORT, 32, "webp"),
)
_IMAGING = (
    Imaging(max_pixels=4_000_000),
    Imaging(max_pixels=4_000_000, convert_png=True, convert_cmyk=True),
    Imaging(max_pixels=4_000_000, validation=Validation.OFF, convert_png=True),
    Imaging(validation=Validation.STRICT),
)

Mutation = Callable[[bytearray, random.Random], None]


@dataclass
class _Batch:
    """The results of a batch: the number of images by outcome, and the errors as text."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest_s: float = 0.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--images", type=int, default=20_000, help="mutated images")


def run(arguments: argparse.Namespace) -> None:
    """Prints the outcomes of the images; fails at a single error."""
    print(machine())
    began = time.monotonic()
    total = _in_processes(arguments.images, arguments.seed)
    print(f"{arguments.images} mutated images in {time.monotonic() - began:.0f} s, "
          f"the slowest {total.slowest_s:.1f} s of CPU: {_summary(total.outcomes)}")  # fmt: skip
    assert not total.wrong, "\n".join(total.wrong)
    print(f"a run over {_RUN_IMAGES} of them and {_RUN_WHOLE} whole ones: {_summary(_in_a_run(arguments.seed))}")


def mutated(number: int, seed: int) -> bytes:
    """The mutated image of this number; the same numbers give the same bytes."""
    rng = random.Random(f"{seed}/{number}")
    seeds = _seeds()
    body = bytearray(seeds[number % len(seeds)])
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        rng.choice(_MUTATIONS)(body, rng)
    return bytes(body)


# ---- in separate processes


def _in_processes(count: int, seed: int) -> _Batch:
    total = _Batch()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(usable_cores(), mp_context=spawn) as pool:
        batches = [(begin, min(begin + _BATCH, count)) for begin in range(0, count, _BATCH)]
        futures = [pool.submit(_process, begin, end, seed) for begin, end in batches]
        for (begin, end), future in zip(batches, futures, strict=True):
            try:
                batch = future.result(timeout=_BATCH_S)
            except Exception as error:  # a crash breaks the pool, a hang is a TimeoutError
                total.wrong.append(f"images {begin} to {end}: {error!r}")
                for process in pool._processes.values():
                    process.kill()
                break
            total.outcomes += batch.outcomes
            total.wrong += batch.wrong
            total.slowest_s = max(total.slowest_s, batch.slowest_s)
    return total


def _process(begin: int, end: int, seed: int) -> _Batch:
    """Sends images `begin` to `end` through a `Processor`, which must print nothing on standard error."""
    batch = _Batch()
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name, tempfile.TemporaryFile() as noise:
        standard_error = os.dup(2)
        os.dup2(noise.fileno(), 2)
        try:
            for number in range(begin, end):
                _process_one(number, seed, Path(name), batch)
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)
        noise.seek(0)
        if text := noise.read(500):
            batch.wrong.append(f"images {begin} to {end} on standard error: {text!r}")
    return batch


def _process_one(number: int, seed: int, root: Path, batch: _Batch) -> None:
    body = mutated(number, seed)
    imaging = _IMAGING[number // len(_seeds()) % len(_IMAGING)]
    store = Files(Layout(root, "2017_11"), AtomicWriter("0a1b2c3d"), SourceSettings().directory)
    processor = Processor(store, SourceSettings(), imaging)
    url = f"https://example.org/{number}.jpg"
    md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
    job = Job(f"{number:016x}", "train", url, len(body), md5, url, _RENDITIONS, rotation=90 * (number % 4))
    began = _cpu_s()
    try:
        result = processor.process(job, Fetched(Source.ORIGINAL, url, body))
    except Exception as error:
        batch.wrong.append(f"image {number}: {error!r}")
        return
    taken = _cpu_s() - began
    batch.slowest_s = max(batch.slowest_s, taken)
    if taken > _IMAGE_S:
        batch.wrong.append(f"image {number}: {taken:.0f} s of CPU")
    batch.outcomes["done" if isinstance(result, Done) else str(result.reason)] += 1


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


# ---- in a real run


def _in_a_run(seed: int) -> Counter[str]:
    """Downloads mutated images among whole ones; every whole one must be done, and the run must end normally."""
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        home = Path(name)
        home.chmod(0o755)  # nginx started by root reads as another user
        paths = []
        for number in range(_RUN_IMAGES + _RUN_WHOLE):
            is_whole = number % 5 == 0
            path = home / f"{number}_{'whole' if is_whole else 'mutated'}_o.jpg"
            path.write_bytes(photo(number, 160, 120) if is_whole else mutated(number, seed))
            paths.append(path)
        with served(home) as (base_url, _):
            write_image_list(home / "list.csv", base_url, paths, home)
            options = [f"--root-dir={home / 'root'}", f"--images-csv={home / 'list.csv'}", "--no-download-metadata"]
            options += ["--save-original-images", "--convert-png", "--convert-cmyk", "--max-retries=1"]
            ended = subprocess.run(
                [sys.executable, "-m", "oidl", "run", *options], capture_output=True, text=True, timeout=_RUN_S
            )
        output = ended.stdout + ended.stderr
        assert ended.returncode in (0, 3), output[-2000:]
        assert "Traceback" not in output, output[-2000:]
        assert "CRITICAL" not in output, output[-2000:]
        with closing(sqlite3.connect(home / "root" / "oidl.sqlite3")) as db:
            rows = db.execute(
                "SELECT original_url, status, reason FROM image JOIN download USING (image_id)"
            ).fetchall()
    lost = [row for row in rows if "_whole_" in row[0] and row[1] != "done"]
    assert not lost, lost
    assert len(rows) == _RUN_IMAGES + _RUN_WHOLE
    return Counter(reason or status for _, status, reason in rows)


def _summary(outcomes: Counter[str]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())


# ---- seeds and mutations


@cache
def _seeds() -> tuple[bytes, ...]:
    return tuple(_make_seeds())


def _make_seeds() -> Iterator[bytes]:
    """Small images of every format and of many kinds."""
    colour = pyvips.Image.jpegload_buffer(photo(1, 96, 64, quality=92)).copy_memory()
    grey = colour.colourspace("b-w")
    glass = colour.bandjoin(128)
    deep = colour.colourspace("rgb16")
    inks = pyvips.Image.jpegload_buffer(photo(2, 96, 64, cmyk=True)).copy_memory()
    with_profile = colour.copy()
    with_profile.set_type(pyvips.GValue.blob_type, "icc-profile-data", pyvips.Image.profile_load("p3"))
    for look in ({}, {"progressive": True}, {"grey": True}, {"cmyk": True}, {"orientation": 6}):
        yield photo(3, 96, 64, **look)
    yield with_profile.jpegsave_buffer()
    yield colour.jpegsave_buffer(restart_interval=3, subsample_mode="off")
    yield colour.jpegsave_buffer(interlace=True, optimize_coding=True, subsample_mode="off")
    for image in (colour, grey, glass, deep, with_profile):
        yield image.pngsave_buffer()
        yield image.pngsave_buffer(interlace=True)
    yield colour.pngsave_buffer(palette=True)
    yield grey.pngsave_buffer(bitdepth=1)
    yield colour.gifsave_buffer()
    frames = pyvips.Image.arrayjoin([colour, colour.invert(), glass.flatten()], across=1).copy()
    frames.set_type(pyvips.GValue.gint_type, "page-height", 64)
    yield frames.gifsave_buffer()
    yield frames.webpsave_buffer()
    for image, options in ((colour, {}), (glass, {"lossless": True}), (with_profile, {"Q": 20})):
        yield image.webpsave_buffer(**options)
    for image in (
        colour,
        grey,
        glass,
        deep,
        inks,
        colour.cast("float"),
        colour.cast("uint"),
        colour.bandjoin([1, 2, 3]),
    ):
        yield image.tiffsave_buffer()
        yield image.tiffsave_buffer(compression="deflate", tile=True, tile_width=32, tile_height=32)
    for compression in ("lzw", "jpeg", "packbits", "webp"):
        yield colour.tiffsave_buffer(compression=compression)
    yield grey.tiffsave_buffer(compression="ccittfax4", bitdepth=1)
    yield colour.tiffsave_buffer(pyramid=True, tile=True, tile_width=16, tile_height=16, compression="lzw")
    yield frames.tiffsave_buffer(compression="deflate")
    yield _bmp(16, 16)


def _bmp(width: int, height: int) -> bytes:
    pixels = bytes(3 * width * height)
    about = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(pixels), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 14 + len(about) + len(pixels), 0, 0, 14 + len(about)) + about + pixels


def _somewhere(body: bytearray, rng: random.Random) -> int:
    """A random position in `body`; mostly in its head, which has nearly everything that a decoder obeys."""
    return rng.randrange(min(len(body), rng.choice((64, 300, 1000, 1 << 30)))) if body else 0


def _flip_bit(body: bytearray, rng: random.Random) -> None:
    if body:
        body[_somewhere(body, rng)] ^= 1 << rng.randrange(8)


def _set_byte(body: bytearray, rng: random.Random) -> None:
    if body:
        body[_somewhere(body, rng)] = rng.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF, rng.randrange(256)))


def _set_number(body: bytearray, rng: random.Random) -> None:
    """Writes a number of two or four bytes, in either order, that programs stumble over."""
    kind = rng.choice(("<H", ">H", "<I", ">I"))
    packed = struct.pack(kind, rng.choice(_NUMBERS) & (0xFFFF if kind[1] == "H" else 0xFFFFFFFF))
    at = _somewhere(body, rng)
    body[at : at + len(packed)] = packed


def _cut(body: bytearray, rng: random.Random) -> None:
    del body[_somewhere(body, rng) + 12 :]


def _delete_piece(body: bytearray, rng: random.Random) -> None:
    at = _somewhere(body, rng)
    del body[at : at + rng.choice((1, 2, 4, 12, 100, 1000))]


def _repeat_piece(body: bytearray, rng: random.Random) -> None:
    at = _somewhere(body, rng)
    piece = body[at : at + rng.choice((2, 12, 60, 300))]
    body[at:at] = piece * rng.choice((1, 1, 2, 50))


def _move_piece(body: bytearray, rng: random.Random) -> None:
    at, length = _somewhere(body, rng), rng.choice((2, 12, 60, 300))
    piece = body[at : at + length]
    del body[at : at + length]
    to = _somewhere(body, rng)
    body[to:to] = piece


def _insert_noise(body: bytearray, rng: random.Random) -> None:
    at = _somewhere(body, rng)
    piece = rng.randbytes(rng.choice((1, 4, 16, 200)))
    body[at : at + len(piece) * rng.randrange(2)] = piece


def _splice(body: bytearray, rng: random.Random) -> None:
    other = rng.choice(_seeds())
    at = _somewhere(body, rng)
    body[at:] = other[rng.randrange(len(other)) :]


def _fill(body: bytearray, rng: random.Random) -> None:
    at = _somewhere(body, rng)
    length = min(rng.choice((4, 100, 4096)), len(body) - at)
    body[at : at + length] = bytes((rng.choice((0, 0xFF)),)) * length


_MUTATIONS: tuple[Mutation, ...] = (
    _flip_bit,
    _flip_bit,
    _set_byte,
    _set_byte,
    _set_number,
    _set_number,
    _set_number,
    _cut,
    _delete_piece,
    _repeat_piece,
    _move_piece,
    _insert_noise,
    _splice,
    _fill,
)
