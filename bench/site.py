"""Serves a directory of photos on loopback, and writes an image list of them."""

import base64
import hashlib
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from oidl.cores import usable_cores
from oidl.dataset.rows import format_row, header
from oidl.imaging.photo import photo
from oidl.model import Image

_DISTINCT = 24

_NGINX = """
{modules} daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/nginx.log;
events {{ worker_connections 1024; }}
http {{
    {log} sendfile on; keepalive_requests 1000000;
    types {{ image/jpeg jpg; }}
    client_body_temp_path {directory}/tmp1; proxy_temp_path {directory}/tmp2; fastcgi_temp_path {directory}/tmp3;
    uwsgi_temp_path {directory}/tmp4; scgi_temp_path {directory}/tmp5;
    server {{ listen 127.0.0.1:{port}; root {root}; {delay} }}
}}
"""


_LOG = "log_format times $request_time; access_log {root}/times.log times;"
_MODULES = "/usr/lib/nginx/modules"
_LUA = ("ndk_http_module.so", "ngx_http_lua_module.so")


def make_photos(directory: Path, width: int, height: int, quality: int, count: int) -> list[Path]:
    """Makes `count` photos in `directory`, which are links to a few distinct ones."""
    directory.mkdir(parents=True)

    def make(number: int) -> Path:
        path = directory / f"distinct-{number}.jpg"
        path.write_bytes(photo(number, width, height, quality=quality))
        return path

    with ThreadPoolExecutor(usable_cores()) as pool:
        distinct = list(pool.map(make, range(_DISTINCT)))
    paths = []
    for number in range(count):
        paths.append(directory / f"{number}_0a_o.jpg")
        os.link(distinct[number % _DISTINCT], paths[-1])
    return paths


def write_image_list(path: Path, base_url: str, photos: list[Path], root: Path) -> None:
    """Writes an image list of the photos, in the published format."""
    facts: dict[int, tuple[int, str]] = {}
    ids = random.Random(4)
    with open(path, "w", encoding="utf-8") as file:
        file.write(header("author-title"))
        for photo_path in photos:
            inode = photo_path.stat().st_ino
            if inode not in facts:
                body = photo_path.read_bytes()
                facts[inode] = len(body), base64.b64encode(hashlib.md5(body).digest()).decode()
            size, md5 = facts[inode]
            url = f"{base_url}/{photo_path.relative_to(root)}"
            image = Image(
                f"{ids.getrandbits(64):016x}", "train", url, "https://www.flickr.com/photos/x/1",
                "https://creativecommons.org/licenses/by/2.0/", "https://www.flickr.com/people/x/",
                "Author", "Title", size, md5, url,
            )  # fmt: skip
            file.write(format_row(image, "author-title"))


@contextmanager
def served(root: Path, *, log: bool = False, latency_ms: int = 0) -> Iterator[tuple[str, str]]:
    """Serves the files in `root` from a separate process; yields the base URL and the server's name.

    With `log`, nginx writes the duration of each request, in seconds, to `times.log`. With a latency it waits before
    each answer; that needs its module for Lua.
    """
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    if nginx:
        config = root / "nginx.conf"
        config.write_text(
            _NGINX.format(
                directory=root,
                root=root,
                port=port,
                log=_LOG.format(root=root) if log else "access_log off;",
                modules="".join(f"load_module {_MODULES}/{name}; " for name in _LUA) if latency_ms else "",
                delay=f"access_by_lua_block {{ ngx.sleep({latency_ms / 1000}) }}" if latency_ms else "",
            )
        )
        command = [nginx, "-c", str(config), "-e", str(root / "nginx.log")]
    else:
        command = [sys.executable, "-m", "oidl.demo", "--root", str(root), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}", "nginx" if nginx else "the demo server"
    finally:
        server.terminate()
        server.wait()


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the server did not start")
