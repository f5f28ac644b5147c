"""Nodes in network namespaces of their own, with a limiter for each of their addresses: how near its limit each gets.

Run by `python -m bench cluster --limits`, in a network and mount namespace that ends with it.
"""

import logging
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path

import trio

from bench.site import make_photos, write_image_list

_SERVER = "10.77.0.1"
_BURST = 5.0


def _sh(command: str) -> None:
    subprocess.run(command.split(), check=True)


def make_namespaces(count: int) -> None:
    """Namespaces n1, n2 …, each with an address of its own, from which they reach `_SERVER`."""
    Path("/run/netns").mkdir(exist_ok=True)
    _sh("mount -t tmpfs none /run/netns")
    _sh("ip link set lo up")
    _sh(f"ip addr add {_SERVER}/32 dev lo")
    for number in range(1, count + 1):
        _sh(f"ip netns add n{number}")
        _sh(f"ip link add v{number} type veth peer name e{number} netns n{number}")
        _sh(f"ip addr add 10.77.{number}.1/24 dev v{number}")
        _sh(f"ip link set v{number} up")
        _sh(f"ip -n n{number} addr add 10.77.{number}.2/24 dev e{number}")
        _sh(f"ip -n n{number} link set e{number} up")
        _sh(f"ip -n n{number} link set lo up")
        _sh(f"ip -n n{number} route add default via 10.77.{number}.1")


class LimitedServer:
    """A server of photos that answers "too many requests" above the limit of the client's address."""

    def __init__(self, photos: list[Path], limits: dict[str, float]) -> None:
        self._bodies = {f"/photos/{path.name}".encode(): path.read_bytes() for path in photos}
        self._limits = limits
        self._tokens: dict[str, tuple[float, float]] = defaultdict(lambda: (_BURST, trio.current_time()))
        self.answered: Counter[str] = Counter()
        self.throttled: Counter[str] = Counter()

    async def serve(self, *, task_status: trio.TaskStatus[int]) -> None:
        """Serves until cancelled; the port is chosen by the system."""
        listeners = await trio.open_tcp_listeners(0, host=_SERVER)
        task_status.started(listeners[0].socket.getsockname()[1])
        await trio.serve_listeners(self._handle, listeners)

    async def _handle(self, stream: trio.SocketStream) -> None:
        client = stream.socket.getpeername()[0]
        data = b""
        with suppress(trio.BrokenResourceError):
            async with stream:
                while piece := await stream.receive_some(65536):
                    data += piece
                    while b"\r\n\r\n" in data:
                        head, _, data = data.partition(b"\r\n\r\n")
                        await stream.send_all(self._answer(client, head.split(b" ", 2)[1]))

    def _answer(self, client: str, path: bytes) -> bytes:
        limit, now = self._limits[client], trio.current_time()
        tokens, at = self._tokens[client]
        tokens = min(_BURST, tokens + (now - at) * limit)
        is_allowed = tokens >= 1
        self._tokens[client] = (tokens - is_allowed, now)
        (self.answered if is_allowed else self.throttled)[client] += 1
        body = self._bodies[path] if is_allowed else b"too many requests"
        status = b"200 OK" if is_allowed else b"429 Too Many Requests"
        kind = b"image/jpeg" if is_allowed else b"text/plain"
        return b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (status, kind, len(body), body)


def _started(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _worker(scheduler: str, number: int) -> subprocess.Popen[bytes]:
    options = ["--no-nanny", "--nthreads=1", "--no-dashboard", "--host", f"10.77.{number}.2"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", scheduler, *options]
    return _started(["ip", "netns", "exec", f"n{number}", *worker])


async def _measure(home: Path, limits: list[float], seconds: float) -> None:
    from distributed import LocalCluster

    by_client = {f"10.77.{number}.2": limit for number, limit in enumerate(limits, 1)}
    photos = make_photos(home / "photos", 160, 120, 85, round(1.5 * sum(limits) * seconds))
    server = LimitedServer(photos, by_client)
    logging.disable(logging.CRITICAL)
    cluster = LocalCluster(n_workers=0, host=_SERVER, dashboard_address=None, silence_logs=logging.CRITICAL)
    processes = [_worker(cluster.scheduler_address, number) for number in range(1, len(limits) + 1)]
    try:
        async with trio.open_nursery() as nursery:
            port = await nursery.start(server.serve)
            write_image_list(home / "list.csv", f"http://{_SERVER}:{port}", photos, home)
            options = [
                f"--root-dir={home / 'root'}", f"--images-csv={home / 'list.csv'}", "--no-download-metadata",
                "--resize-box-size=64", "--no-export-csv", "--no-log-to-stdout", "--yes", "--min-free=0",
                "--max-host-connections=64", f"--cluster={cluster.scheduler_address}",
            ]  # fmt: skip
            processes.append(_started([sys.executable, "-m", "oidl", "run", *options]))
            with trio.fail_after(120):
                while len(server.answered) < len(limits):  # noqa: ASYNC110
                    await trio.sleep(0.5)
            await trio.sleep(seconds / 2)  # the first half finds the limits
            before, throttled = Counter(server.answered), Counter(server.throttled)
            await trio.sleep(seconds / 2)
            for client, limit in by_client.items():
                rate = (server.answered[client] - before[client]) / (seconds / 2)
                more = (server.throttled[client] - throttled[client]) / (seconds / 2)
                print(f"| {client} | {limit:.0f} | {rate:.1f} | {rate / limit:.2f} | {more:.2f} |", flush=True)
            nursery.cancel_scope.cancel()
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main(limits: list[float], seconds: float) -> None:
    """Prints a row for each node; the process must have its own network and mount namespaces."""
    make_namespaces(len(limits))
    print("| address | its limit, requests/s | answered/s | of the limit | throttled/s |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        trio.run(_measure, Path(name), limits, seconds)


if __name__ == "__main__":
    main([float(limit) for limit in sys.argv[2:]], float(sys.argv[1]))
