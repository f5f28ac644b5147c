"""The web page as users see it: in a real browser, with a real run, and against hostile clients."""

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

import pytest
import trio

from oidl.cli import web_page as page_command
from oidl.demo.site import CannedResponse, ServerFault

from .browsing import shot, text, wait

pytestmark = pytest.mark.slow

ADDRESS = re.compile(r"the web page is at (http://\S+)")
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def address_of() -> Callable[[subprocess.Popen[str]], str]:
    """The address that a started process tells, on whichever stream."""

    def read(process: subprocess.Popen[str], stream: str = "stderr") -> str:
        for line in getattr(process, stream):
            if found := ADDRESS.search(line):
                return found[1]
        raise AssertionError("it told no address")

    return read


@pytest.fixture
def done_root(served, quick_dataset, run, root: Path) -> Path:
    """The root of a run that has ended."""
    assert run(served(quick_dataset), "--save-original-images", "--no-download-metadata").returncode == 0
    return root


@pytest.fixture
def web(oidl, address_of) -> Callable[..., str]:
    """Starts `oidl web` on a root; returns its address."""

    def start(root: Path, *arguments: object) -> str:
        return address_of(oidl.start("web", "--root-dir", root, *arguments), "stdout")

    return start


# ---- a run


def test_every_number_and_picture_of_a_run_is_on_its_page(
    served, quick_dataset, oidl, root: Path, ask, look, address_of
) -> None:
    loopback = served(quick_dataset)
    images = [image for image in loopback.images if image.scenario.name == "fine"]
    for image in images[-2:]:  # one that drips, and one that waits for the gate
        path = loopback.path_of(image)
        body = loopback.site.answers[path].body
        assert isinstance(body, Path)
        size = body.stat().st_size
        slow = CannedResponse(body, behaviour=ServerFault.SLOW, bytes_per_s=size / 8)
        gated = CannedResponse(lambda body=body: (loopback.gate.wait(30), body.read_bytes())[1])
        loopback.site.answers[path] = slow if image is images[-1] else gated
    process = oidl.start(
        "run", f"--root-dir={root}", f"--catalogue={loopback.catalogue}", "--no-download-metadata", "--web",
        "--no-log-to-stdout", "--min-free=0", "--confirm-after=0",
    )  # fmt: skip

    def see(page: Any) -> None:
        # In progress: downloads with per cent, resizes. One of the two drips for some seconds only.
        wait(
            page,
            lambda: page.locator("#downloads .id").count() == 2 == len(re.findall(r"\d+ %", text(page, "#downloads"))),
        )
        assert re.fullmatch(r"\d+", text(page, "#resizes-count"))
        wait(page, lambda: text(page, "#done") not in ("–", "0"))
        wait(page, lambda: page.locator("#grid li img").count() >= 6)
        # Whose page it is.
        assert text(page, "#title") == "Open Images V3"
        assert text(page, "#root") == str(root)
        assert text(page, "#plan") == f"--dataset-version 3 --catalogue {loopback.catalogue} --no-download-metadata"
        # Images and bytes a second, read and written.
        assert float(text(page, "#images-per-s")) > 0
        assert re.fullmatch(r"[\d.]+ [kM]?B/s", text(page, "#read-per-s"))
        assert re.fullmatch(r"[\d.]+ [kM]?B/s", text(page, "#written-per-s"))
        for name in ("images", "read", "written"):
            wait(page, lambda name=name: page.locator(f"#{name}-chart path").count() == 2)  # once a second is over
        # Overall count, with per cent of the total.
        assert text(page, "#total") == "28"
        assert re.fullmatch(r"[\d.]+ %", text(page, "#share"))
        # The last successful and failed ones.
        wait(page, lambda: page.locator("#successes .id").count() == int(text(page, "#done")))
        wait(page, lambda: page.locator("#failures .id").count() >= int(text(page, "#failed")) > 0)  # tries, not images
        # Every picture with its author and licence, which are links.
        for tile in page.locator("#grid li").all():
            wait(page, lambda tile=tile: tile.locator("img").evaluate("image => image.naturalWidth") > 0)
            assert [link.get_attribute("href").split("/")[2] for link in tile.locator("a").all()] == [
                "www.flickr.com",
                "creativecommons.org",
            ]
        wait(page, lambda: "unavailable" in text(page, "#reasons"))
        shot(page, "run")
        loopback.gate.set()
        wait(page, lambda: "finished" in text(page, "#state"))
        assert agrees(page)
        # What is over has no panel, and its rates are means.
        assert not page.locator("#downloads-card, #resizes-part").first.is_visible()
        assert "on average" in text(page, "#images-title")
        shot(page, "run-ended")

    def agrees(page: Any) -> bool:
        by_status = dict(ask("SELECT status, count(*) FROM download GROUP BY 1"))
        for status in ("done", "failed"):
            assert text(page, f"#{status}") == str(by_status[status])
        assert (text(page, "#retry"), text(page, "#pending"), text(page, "#share")) == ("0", "0", "100 %")
        for reason, images in ask("SELECT reason, count(*) FROM download WHERE status = 'failed' GROUP BY 1"):
            assert f"{images} for good" in text(page, f"#reasons [data-reason={reason}]")
        return True

    look(address_of(process), see)
    assert oidl.end(process).returncode == 0
    status = json.loads(oidl("status", "--root-dir", root, "--json").stdout)
    assert [(status["done"], status["failed"])] == ask(
        "SELECT sum(status = 'done'), sum(status = 'failed') FROM download"
    )


def test_a_taken_port_is_told_before_anything_is_made(fine, run, root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run(fine, "--web", f"127.0.0.1:{taken.getsockname()[1]}")
    assert ended.returncode == 2
    assert "the page cannot be served at 127.0.0.1:" in ended.stderr
    assert not root.exists()


def test_without_its_library_it_says_how_to_have_it(fine, run, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_command, "find_spec", lambda name: None)
    ended = run(fine, "--web")
    assert ended.returncode == 2
    assert (
        "the web page needs starlette, not installed here\n  install it with `pip install 'oidl[web]'`" in ended.stderr
    )
    assert not root.exists()


@pytest.mark.parametrize("typed", [["--web", "a", "b"], ["--web=http://x"], ["--open"]])
def test_what_makes_no_sense_is_refused(fine, run, root: Path, typed: list[str]) -> None:
    assert run(fine, *typed).returncode == 2
    assert not root.exists()


# ---- a run whose page is under attack


@pytest.fixture
def idle_run(served, quick_dataset, oidl, root: Path, address_of) -> tuple[subprocess.Popen[str], str]:
    """A run that waits for its server, and the address of its page."""
    loopback = served(quick_dataset)
    for image in loopback.images:
        loopback.site.answers[loopback.path_of(image)] = CannedResponse(lambda: (loopback.gate.wait(30), b"")[1])
    process = oidl.start(
        "run", f"--root-dir={root}", f"--catalogue={loopback.catalogue}", "--no-download-metadata", "--web",
        "--no-log-to-stdout", "--min-free=0",
    )  # fmt: skip
    address = address_of(process)
    answer(address)  # the page is up
    return process, address


def answer(url: str) -> bytes:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=30) as answered:
        return bytes(answered.read())


def cpu_s(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def page_of(process: subprocess.Popen[str]) -> int:
    """The process that serves the page of a run."""
    (found,) = (
        int(stat.parent.name)
        for stat in Path("/proc").glob("[0-9]*/stat")
        if stat.exists() and stat.read_text().rpartition(")")[2].split()[1] == str(process.pid)
    )
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def attack(url: str, end: float) -> None:
    """Connections with requests sent ahead, with HTTP/2, and with garbage, as fast as they go."""
    at = (urlsplit(url).hostname, urlsplit(url).port)
    attacks = [
        b"GET /api/snapshot HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 200,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]),
        b"\0" * 20_000,
    ]
    clients: list[socket.socket] = []
    while time.monotonic() < end:
        for said in attacks:
            with suppress(OSError):
                clients.append(socket.create_connection(at, 1))
                clients[-1].setblocking(False)
                clients[-1].send(said)
        while len(clients) > 60:
            clients.pop(0).close()
    for client in clients:
        client.close()


def test_an_attack_on_the_page_costs_the_run_nothing_and_ends_with_it(oidl, idle_run) -> None:
    process, address = idle_run
    page = page_of(process)
    run_s, page_s = cpu_s(process.pid), cpu_s(page)
    attack(address, time.monotonic() + 3)
    assert cpu_s(process.pid) - run_s < 0.5 * (cpu_s(page) - page_s)
    assert b"<title>" in answer(address)
    with ThreadPoolExecutor(1) as thread:
        attacker = thread.submit(attack, address, time.monotonic() + 3)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130  # 5 s, were the machine ours alone
        attacker.result()
    assert not is_alive(page)
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


def test_a_killed_run_leaves_no_page(idle_run, wait_until) -> None:
    process, _ = idle_run
    page = page_of(process)
    process.kill()
    wait_until(lambda: not is_alive(page))


def test_a_run_goes_on_when_its_page_ends(idle_run, wait_until) -> None:
    process, _ = idle_run
    os.kill(page_of(process), signal.SIGKILL)
    assert process.stderr is not None
    assert any("the web page has ended; the run continues" in line for line in process.stderr)
    assert process.poll() is None


# ---- a database


def test_a_database_at_rest_is_shown_too(done_root: Path, web, look, ask) -> None:
    (done,) = ask("SELECT image_id FROM download WHERE status = 'done' LIMIT 1")[0]

    def see(page: Any) -> None:
        wait(page, lambda: page.locator("#grid li img").count() >= 10)
        assert text(page, "#state").startswith("last run finished")
        assert text(page, "#done") == str(ask("SELECT count(*) FROM download WHERE status = 'done'")[0][0])
        wait(page, lambda: "finished" in text(page, "#runs"))
        # By keyboard alone: a search, its dialog, and out again.
        page.focus("#image-id")
        page.keyboard.type(done)
        page.keyboard.press("Enter")
        wait(page, lambda: page.locator("dialog[open] img.large").count())
        shown = text(page, "dialog")
        assert done in shown
        for name in ("author", "licence", "photo's page", "transfer", "published size", "images-resized", "CC BY 2.0"):
            assert name in shown
        shot(page, "details")
        page.keyboard.press("Escape")
        assert page.locator("dialog[open]").count() == 0
        page.locator("#grid button").first.focus()
        page.keyboard.press("Enter")
        wait(page, lambda: page.locator("dialog[open] img.large").count())
        page.keyboard.press("Escape")
        # A reason opens to examples.
        page.locator("#reasons summary").first.press("Enter")
        wait(page, lambda: page.locator("#reasons details[open] .id").count())
        assert page.locator("#reasons details[open] a").first.get_attribute("href").startswith("http://127.0.0.1:")
        # There is no panel that has nothing to say, and no other is empty.
        assert not page.locator("#downloads-card").is_visible()
        assert not page.locator("#resizes-part").is_visible()
        assert not page.locator("#written-card").is_visible()
        assert float(text(page, "#images-per-s")) > 0
        assert "on average" in text(page, "#images-title")
        assert page.locator("#successes .id").count() == int(text(page, "#done"))
        for card in page.locator("section.card:visible").all():
            assert card.locator("tbody tr, li, details, .huge").count(), card.inner_text()
        # What failed can be tried by hand; the server there is not told from where.
        to_try = page.locator("#failures a").first
        assert to_try.get_attribute("href").startswith("http://127.0.0.1:")
        assert "noreferrer" in to_try.get_attribute("rel")
        assert (text(page, "#title"), text(page, "#root")) == ("Open Images V3", str(done_root))
        assert "--save-original-images --no" not in text(page, "#plan")
        assert "--save-original-images" in text(page, "#plan")

    look(web(done_root), see)


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1280, "dark")])
def test_it_fits_a_telephone_and_the_night(done_root: Path, web, look, width: int, scheme: str) -> None:
    def see(page: Any) -> None:
        wait(page, lambda: page.locator("#grid li img").count() >= 10)
        page.mouse.move(width / 2, 500)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        cut_off = "all => all.filter(box => box.scrollWidth > box.clientWidth + 1).map(box => box.innerText)"
        assert page.locator(".box, .scroll, section.card").evaluate_all(cut_off) == []
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", ground))) < 200) == (scheme == "dark")
        shot(page, f"{width}-{scheme}")

    look(web(done_root), see, width=width, scheme=scheme)


def test_words_of_others_stay_words(done_root: Path, web, look, tell, ask) -> None:
    (evil,) = ask("SELECT image_id FROM download WHERE status = 'done' LIMIT 1")[0]
    tell(
        "UPDATE image SET title = ?, author = ?, "
        "original_landing_url = 'javascript:alert(2)', license = 'data:text/html,x'",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "<img src=x onerror=alert(3)>",
    )
    tell("UPDATE attempt SET detail = ?", SCRIPT)

    def see(page: Any) -> None:
        wait(page, lambda: page.locator("#grid li img").count() >= 5)
        tile = page.locator("#grid li").first
        assert tile.locator("a").count() == 0
        assert "<img src=x onerror=alert(3)>" in tile.inner_text()
        assert SCRIPT in text(page, "#failures")
        page.fill("#image-id", evil)
        page.keyboard.press("Enter")
        wait(page, lambda: page.locator("dialog[open] img.large").count())
        assert text(page, "#details-title") == SCRIPT
        assert "javascript:alert(2)" in text(page, "dialog")
        assert page.locator("dialog a").evaluate_all("links => links.filter(a => !/^https?:/.test(a.href)).length") == 0
        assert page.locator("script").count() == 1

    look(web(done_root), see)


def test_bound_elsewhere_it_warns_and_takes_a_token(done_root: Path, oidl, address_of, look) -> None:
    process = oidl.start("web", "--root-dir", done_root, "--address", "0.0.0.0:0")
    url = address_of(process, "stdout")
    assert "everyone who can reach this machine" in process.stdout.readline()
    port = int(re.search(r":(\d+)/", url)[1])  # type: ignore[index]
    plain = f"http://127.0.0.1:{port}/"
    for refused in (plain, f"{plain}?token=guess", f"{plain}api/moment"):
        with pytest.raises(HTTPError, match="403"):
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(refused)

    def see(page: Any) -> None:
        wait(page, lambda: text(page, "#total") == "28")
        assert "token" not in page.url

    look(f"{plain}?{url.partition('?')[2]}", see)


def test_the_line_with_the_address_says_that_its_usual_port_is_taken(done_root: Path, oidl) -> None:
    """Two at once; one of them has another port, or both, if a test beside this one has the usual one."""
    pages = [oidl.start("web", "--root-dir", done_root) for _ in range(2)]
    told = [
        re.fullmatch(r"the web page is at http://127\.0\.0\.1:(86[4-9]\d)/(.*)\n", page.stdout.readline())
        for page in pages
    ]
    assert all(told)
    assert len({line[1] for line in told}) == 2
    assert [line[2] for line in told] == ["" if line[1] == "8640" else " (port 8640 is taken)" for line in told]


def test_without_a_database_there_is_no_page(oidl, root: Path) -> None:
    ended = oidl("web", "--root-dir", root)
    assert ended.returncode == 2
    assert "there is no state database" in ended.stderr


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example"])
def test_a_foreign_host_is_told_nothing(done_root: Path, web, host: str) -> None:
    request = urllib.request.Request(web(done_root), headers={"Host": host})
    with pytest.raises(HTTPError, match="403"):
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request)


def test_the_demo_hands_its_page_to_the_run(
    oidl, tmp_path: Path, ports: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[list[str]] = []

    async def run_nothing(command: list[str], **_: object) -> SimpleNamespace:
        given.append(command)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(trio, "run_process", run_nothing)
    port = min(ports)
    for typed in ([], ["--web"], ["--web", "127.0.0.1:1", "--open"]):
        assert oidl("demo", "--root-dir", tmp_path / "demo", "--images", "1", "--port", port, *typed).returncode == 0
    ends = [[each for each in arguments if each.startswith(("--web", "--open"))] for arguments in given]
    assert ends == [[], ["--web"], ["--web=127.0.0.1:1", "--open"]]


def test_what_is_read_aloud_is_not_what_changes_every_second(done_root: Path, web, look) -> None:
    def see(page: Any) -> None:
        wait(page, lambda: text(page, "#total") == "28")
        spoken = page.locator("[role=status], [aria-live]")
        assert [words for words in spoken.all_inner_texts() if words] == ["last run finished: every image is settled"]
        assert re.fullmatch(r" · \d+ s", page.text_content("#since"))
        # Every picture, field and button has a name; all that scrolls can be reached by keyboard.
        assert page.locator("img:not([alt]), svg[role=img]:not([aria-label])").count() == 0
        assert (
            page.locator("button").evaluate_all(
                "all => all.filter(b => !b.innerText && !b.querySelector('img')).length"
            )
            == 0
        )
        assert page.locator(".box:not([tabindex='0'])").count() == 0
        assert page.get_by_label("ImageID").count() == 1

    look(web(done_root), see)


_OVERLAPS = """() => {
    const boxes = [...document.querySelectorAll("#grid li")].map(tile => tile.getBoundingClientRect());
    const meet = (one, other) =>
        one.left < other.right - 1 && other.left < one.right - 1 &&
        one.top < other.bottom - 1 && other.top < one.bottom - 1;
    return boxes.filter((one, at) => boxes.slice(at + 1).some(other => meet(one, other))).length;
}"""


def test_pictures_do_not_overlap_while_they_change(done_root: Path, web, look) -> None:
    def see(page: Any) -> None:
        wait(page, lambda: page.locator("#grid li img").count() >= 10)
        page.mouse.move(5, 5)
        before = page.locator("#grid").inner_html()
        for _ in range(60):
            assert page.evaluate(_OVERLAPS) == 0
            page.wait_for_timeout(30)
        assert page.locator("#grid").inner_html() != before

    look(web(done_root), see)


_MOMENTS = """count => new Promise(done => {
    const events = new EventSource("/events");
    events.onmessage = () => { if (!count--) { events.close(); done(); } };
})"""


def test_while_it_is_paused_the_grid_stands_still(done_root: Path, web, look) -> None:
    def see(page: Any) -> None:
        wait(page, lambda: page.locator("#grid li img").count() >= 3)
        page.get_by_role("button", name="Pause").click()
        page.evaluate(_MOMENTS, 1)  # what was on its way is there
        before = page.locator("#grid").inner_html()
        page.evaluate(_MOMENTS, 3)  # each brings new pictures
        assert page.locator("#grid").inner_html() == before
        page.get_by_role("button", name="Resume").click()
        wait(page, lambda: page.locator("#grid").inner_html() != before)

    look(web(done_root), see)
