"""Sends mutated server answers through the whole pipeline: no traceback, no aborted run, no other image lost."""

import argparse
import base64
import gzip
import hashlib
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import trio

from bench.measure import machine
from oidl.dataset.rows import format_row, header
from oidl.imaging.photo import photo
from oidl.model import Image

_GOOD_EVERY = 10  # one image in this many gets a good answer, from a separate host
_HOSTS = 1000  # they share the mutated answers, so a host that is paused holds up only a few
_RUN_S = 1500
_PHOTO = photo(1, 64, 48, quality=85)

Mutation = Callable[[bytearray, random.Random], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--answers", type=int, default=10_000, help="mutated answers")


def run(arguments: argparse.Namespace) -> None:
    """Prints the outcomes of the answers; fails at a single forbidden one."""
    print(machine())
    trio.run(_answers, arguments.answers, arguments.seed)


async def _answers(count: int, seed: int) -> None:
    began = time.monotonic()
    sent: set[int] = set()
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        home = Path(name)
        async with trio.open_nursery() as nursery:
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            port = listeners[0].socket.getsockname()[1]
            for number in range(_HOSTS):
                listeners += await trio.open_tcp_listeners(port, host=_host(number))
            nursery.start_soon(partial(trio.serve_listeners, partial(_serve, seed=seed, sent=sent), listeners))
            good = _write_list(home / "list.csv", port, count)
            with trio.fail_after(_RUN_S):
                done = await trio.run_process(
                    [sys.executable, "-m", "oidl", "run", *_options(home)],
                    capture_stdout=True, capture_stderr=True, check=False,
                )  # fmt: skip
            nursery.cancel_scope.cancel()
        output = (done.stdout + done.stderr + (home / "log").read_bytes()).decode(errors="replace")
        assert done.returncode in (0, 3), f"exit {done.returncode}: {output[-2000:]}"
        assert "Traceback" not in output, output[output.index("Traceback") :][:4000]
        with closing(sqlite3.connect(home / "root/oidl.sqlite3")) as db:
            outcomes = db.execute(
                "SELECT coalesce(reason, status), count(*) FROM download GROUP BY 1 ORDER BY 2 DESC"
            ).fetchall()
            lost = db.execute(
                "SELECT count(*) FROM image LEFT JOIN download USING (image_id) "
                "WHERE original_url LIKE '%/good/%' AND status IS NOT 'done'"
            ).fetchone()[0]
    assert not lost, f"{lost} of {good} images with good answers were lost"
    assert not dict(outcomes).get("internal_error"), outcomes
    summary = ", ".join(f"{images} {what}" for what, images in outcomes)
    print(f"sent {len(sent)} of {count} mutated answers in {time.monotonic() - began:.0f} s, "
          f"all {good} images with good answers are done: {summary}")  # fmt: skip


def _options(home: Path) -> list[str]:
    return [
        f"--root-dir={home / 'root'}", f"--images-csv={home / 'list.csv'}", f"--log-file={home / 'log'}",
        "--no-download-metadata", "--no-log-to-stdout", "--save-original-images", "--resize-box-size=32",
        "--max-failure-rate=2", "--max-retries=1", "--max-wait=1", "--max-host-connections=4",
        "--connect-timeout=2", "--dns-timeout=1", "--tls-timeout=1", "--stall-timeout=2", "--max-image-bytes=2M",
    ]  # fmt: skip


def _host(number: int) -> str:
    return f"127.0.{1 + number // 200}.{2 + number % 200}"


def _write_list(path: Path, port: int, count: int) -> int:
    """Writes a list of the images with mutated and with good answers; returns the number of the good ones."""
    md5 = base64.b64encode(hashlib.md5(_PHOTO).digest()).decode()
    good = count // _GOOD_EVERY
    urls = [f"http://{_host(number % _HOSTS)}:{port}/bad/{number}_o.jpg" for number in range(count)]
    urls += [f"http://127.0.0.1:{port}/good/{number}_o.jpg" for number in range(good)]
    random.Random(1).shuffle(urls)
    with open(path, "w", encoding="utf-8") as file:
        file.write(header("author-title"))
        for number, url in enumerate(urls):
            image = Image(f"{number:016x}", "train", url, "x", "x", "x", "A", "T", len(_PHOTO), md5, url)
            file.write(format_row(image, "author-title"))
    return good


async def _serve(stream: trio.SocketStream, seed: int, sent: set[int]) -> None:
    async with stream:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError, ValueError, IndexError):
            while True:
                head = b""
                while b"\r\n\r\n" not in head:
                    received = await stream.receive_some()
                    if not received:
                        return
                    head += received
                kind, _, name = head.split(b" ", 2)[1].decode().lstrip("/").partition("/")
                number = int(name.partition("_")[0])
                if kind == "good":
                    await stream.send_all(_answer(b"200 OK", _PHOTO))
                    continue
                sent.add(number)
                await stream.send_all(mutated(number, seed))
                if number % 8:  # the other connections stay open, to see what happens
                    return


# ---- answers and their mutations


def _answer(status: bytes, body: bytes, *lines: bytes) -> bytes:
    usual = (b"Content-Type: image/jpeg", b"Content-Length: %d" % len(body), b'ETag: "a1"', b"Server: x")
    return b"\r\n".join((b"HTTP/1.1 " + status, *usual, *lines, b"", body))


def _chunked(body: bytes) -> bytes:
    pieces = [body[at : at + 500] for at in range(0, len(body), 500)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


_DATES = (b"Date: Mon, 01 Jan 2024 00:00:00 GMT", b"Last-Modified: Sun, 31 Dec 2023 00:00:00 GMT")
_SEEDS = (
    _answer(b"200 OK", _PHOTO),
    _answer(b"200 OK", _PHOTO, *_DATES),
    _answer(b"200 OK", _PHOTO, b"x-goog-hash: md5=1B2M2Y8AsgTpgAmY7PhCfg=="),
    _answer(b"200 OK", gzip.compress(_PHOTO), b"Content-Encoding: gzip"),
    _answer(b"206 Partial Content", _PHOTO, b"Content-Range: bytes 0-%d/%d" % (len(_PHOTO) - 1, len(_PHOTO))),
    _answer(b"203 OK", _PHOTO, b"Content-Type: text/plain"),
    _chunked(_PHOTO),
    b"HTTP/1.0 200 OK\r\n\r\n" + _PHOTO,
    b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + _answer(b"200 OK", _PHOTO),
    _answer(b"302 Found", b"", b"Location: /good/1_o.jpg"),
    _answer(b"302 Found", b"", b"Location: http://127.0.0.1:9/photo_unavailable.png"),
    _answer(b"404 Not Found", b"<html>gone</html>"),
    _answer(b"403 Forbidden", _PHOTO),
    _answer(b"503 Busy", b"busy", b"Retry-After: 1"),
    _answer(b"429 Busy", b"busy", b"Retry-After: Mon, 01 Jan 2024 00:00:00 GMT"),
    _answer(b"416 No", b"", b"Content-Range: bytes */10"),
)
_TOKENS = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\0", b"\xff\xfe", b"\x1b[2J", b": ", b" ", b"\t", b"9" * 5000, b"-1", b"+5",
    b"1" * 19, b"bytes 0-0/1", b"Mon, 99999999999 Jan 2020 00:00:00 GMT", b"Mon, 01 Jan 0001 00:00:00 +2359",
    b"chunked", b"gzip", b"deflate", b"br", b"identity", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n",
    b"Content-Encoding: gzip\r\n", b"Retry-After: 999999999999999999999\r\n", b"Connection: close\r\n", b"http://[",
    b"http://a..b/", b"http://xn--/", b"//\xe4/", b"HTTP/1.1 100 Continue\r\n\r\n" * 20, b"X: y\r\n" * 3000,
    b"ETag: W/\"\xe9\"\r\n", b"2\r\nab\r\n" * 600, b"ffffffffffffffff\r\n", b"z" * 70_000, b"101", b"000", b"999",
)  # fmt: skip


def _flip(answer: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 4, 30))):
        answer[_place(answer, rng)] = rng.randrange(256)


def _cut(answer: bytearray, rng: random.Random) -> None:
    del answer[rng.randrange(len(answer)) :]


def _remove(answer: bytearray, rng: random.Random) -> None:
    at = _place(answer, rng)
    del answer[at : at + rng.choice((1, 2, 20, 200))]


def _repeat(answer: bytearray, rng: random.Random) -> None:
    at = _place(answer, rng)
    piece = answer[at : at + rng.choice((1, 10, 100))]
    answer[at:at] = piece * rng.choice((1, 2, 50))


def _insert(answer: bytearray, rng: random.Random) -> None:
    at = _place(answer, rng)
    answer[at:at] = rng.choice(_TOKENS)


def _insert_value(answer: bytearray, rng: random.Random) -> None:
    """Replaces the value of a header with a token."""
    starts = [at for at in range(len(answer) - 2) if answer[at : at + 2] == b": "][:12]
    if starts:
        start = rng.choice(starts) + 2
        end = answer.find(b"\r\n", start)
        answer[start : max(start, end)] = rng.choice(_TOKENS)


def _append(answer: bytearray, rng: random.Random) -> None:
    answer += rng.choice((b"x", _PHOTO, rng.choice(_SEEDS)))


_MUTATIONS: tuple[Mutation, ...] = (
    _flip,
    _cut,
    _remove,
    _repeat,
    _insert,
    _insert,
    _insert_value,
    _insert_value,
    _append,
)


def mutated(number: int, seed: int) -> bytes:
    """The mutated answer of this number; the same numbers give the same bytes."""
    rng = random.Random(f"{seed}/{number}")
    answer = bytearray(_SEEDS[number % len(_SEEDS)])
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if answer:
            rng.choice(_MUTATIONS)(answer, rng)
    return bytes(answer)


def _place(answer: bytearray, rng: random.Random) -> int:
    """A random position; mostly in the head, which is the smaller part."""
    head = answer.find(b"\r\n\r\n") + 4
    end = head if head > 4 and rng.random() < 0.7 else len(answer)
    return rng.randrange(max(1, min(end, len(answer))))
