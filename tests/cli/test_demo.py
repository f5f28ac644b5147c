"""`oidl demo`, and other commands on its V7: classes select images, exported boxes lie on the shapes."""

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace
from typing import Any

import numpy
import pytest
import trio
from PIL import Image as Pillow

from oidl.demo.classes import DRAWN

COLOURS = {drawn.name: drawn.colour for drawn in DRAWN}
AS_MADE = "continuing with the demo in {root}: 2 photos, ports {port} to {last}"


@pytest.fixture
def port(ports: tuple[int, ...]) -> int:
    return min(ports)


@pytest.fixture
def demo(oidl, root: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Callable[..., CompletedProcess[str]]:
    """`oidl demo` of two photos without the run in its middle, which ends with `code`."""

    def start(*arguments: object, code: int = 0) -> CompletedProcess[str]:
        async def run_nothing(command: list[str], **_: object) -> SimpleNamespace:
            return SimpleNamespace(returncode=code)

        monkeypatch.setattr(trio, "run_process", run_nothing)
        given = arguments or (f"--port={port}", "--images=2")
        return oidl("demo", f"--root-dir={root}", *given)

    return start


@pytest.fixture
def taken(port: int) -> Iterator[None]:
    """Another program on the demo's first port."""
    with socket.create_server(("127.0.0.1", port)):
        yield


def test_a_demo_is_run_and_what_it_says_then_works_without_its_server(oidl, root: Path, port: int, ask) -> None:
    process = oidl.start("demo", f"--root-dir={root}", f"--port={port}", "--images=24")
    out, err = process.communicate(timeout=180)
    ended = CompletedProcess(process.args, process.returncode, out, err)
    assert ended.returncode == 0, ended.stderr
    assert "Open Images V7, 24 generated photos" in ended.stdout
    commands = [line.strip() for line in ended.stdout.splitlines() if line.startswith("  ")]
    for command in commands:
        words = command.split()
        if words[:2] == ["oidl", "web"]:  # would not end; what it shows of a demo is in test_explorer
            assert words[2:] == ["--root-dir", str(root), "--open"]
        elif words[0] == "oidl":
            done = oidl(*words[1:])
            assert done.returncode == 0, (command, done.stderr)
        else:
            assert (words[0], words[1]) == ("sqlite3", f"{root}/oidl.sqlite3")
            assert ask(command.partition('"')[2].rstrip('"')), command
    assert {command.split()[1] for command in commands if command.startswith("oidl")} == {
        "status",
        "plan",
        "export",
        "run",
        "web",
    }
    assert ask("SELECT count(*) > 0 FROM segmentation") == [(1,)]
    assert len(list(root.glob("v7/*/*-masks-?.zip"))) == 48
    bare = oidl("run", f"--root-dir={root}")
    assert (bare.returncode, "everything that needs no request still works" in bare.stdout) == (0, True), bare.stderr
    before = ask("SELECT image_id, status FROM download")
    retried = oidl("run", f"--root-dir={root}", "--retry-failed")
    assert retried.returncode == 4
    assert f"nothing answers at http://127.0.0.1:{port}" in retried.stderr
    assert f"run `oidl demo --serve --root-dir {root}` in another terminal first" in retried.stderr
    assert ask("SELECT image_id, status FROM download") == before


def test_a_new_root_on_a_demo_that_is_not_served_is_not_begun(demo, oidl, root: Path, tmp_path: Path) -> None:
    assert demo().returncode == 0
    ended = oidl("run", f"--root-dir={tmp_path / 'cats'}", f"--catalogue={root}/served/catalogue.toml")
    assert (ended.returncode, "nothing answers at" in ended.stderr) == (4, True), ended.stderr
    assert not (tmp_path / "cats").exists()


def test_a_demo_is_served_until_ctrl_c_and_images_can_be_chosen_by_class(
    oidl, root: Path, port: int, tmp_path: Path, wait_until, ask
) -> None:
    process = oidl.start("demo", f"--root-dir={root}", f"--port={port}", "--images=40", "--serve")
    said: list[str] = []
    assert process.stdout is not None
    while "--classes Cat" not in "".join(said):
        said.append(process.stdout.readline())
        assert said[-1], "it ended"
    command = said[-1].split()
    assert command[:4] == ["oidl", "run", "--root-dir", "cats"]
    ended = oidl(*command[1:], "--load-annotations")
    assert ended.returncode in (0, 3), ended.stderr
    cats = "SELECT count(*) FROM success WHERE image_id IN (SELECT image_id FROM box WHERE label_name = '/m/01yrx')"
    (had,) = ask(cats, database=oidl.cwd / "cats/oidl.sqlite3")
    assert had[0] >= 3
    again = oidl("demo", f"--root-dir={root}", "--serve")
    assert (again.returncode, f"is served already, at http://127.0.0.1:{port}" in again.stderr) == (2, True)
    os.kill(process.pid, signal.SIGINT)
    assert oidl.end(process).returncode == 0


# Each photo takes for ever.
_STUCK = """
import sys, threading
from oidl.cli import main
from oidl.demo import photos
def make(*args, **more):
    print("stuck", flush=True)
    threading.Event().wait()
photos.make = make
sys.exit(main())
"""


@pytest.mark.parametrize("signals", [1, 2])
@pytest.mark.parametrize("option", ["--images=2000", "--serve"])
def test_ctrl_c_ends_a_demo_whose_photos_are_being_made_at_once(
    signals: int, option: str, oidl, root: Path, port: int
) -> None:
    process = oidl.start("demo", f"--root-dir={root}", f"--port={port}", option, program=_STUCK)
    assert process.stdout is not None
    while process.stdout.readline() != "stuck\n":
        assert process.poll() is None
    began = time.monotonic()
    for _ in range(signals):
        os.kill(process.pid, signal.SIGINT)
    ended = oidl.end(process)
    assert ended.returncode == 130
    assert ended.stderr in ("oidl: interrupted\n", "")  # the second one may come before that is said
    assert time.monotonic() - began < 4  # after 5 it would be ended from outside


def test_a_demo_of_what_is_served_already_asks_that_server(demo, oidl, root: Path, port: int) -> None:
    process = oidl.start("demo", f"--root-dir={root}", f"--port={port}", "--images=2", "--serve")
    assert process.stdout is not None
    while "until Ctrl-C" not in process.stdout.readline():
        assert process.poll() is None
    assert demo().returncode == 0
    os.kill(process.pid, signal.SIGTERM)
    assert oidl.end(process).returncode == 0


def test_a_second_demo_goes_on_with_the_first_and_says_how_to_start_again(demo, root: Path, port: int) -> None:
    as_made = AS_MADE.format(root=root, port=port, last=port + 2)
    assert "continuing with" not in demo().stdout
    photos = {path: path.stat().st_mtime_ns for path in root.rglob("*.jpg")}
    assert len(photos) == 2
    same = demo("--images=2").stdout
    assert as_made in same
    assert "rm -r" not in same
    ended = demo("--images=50", f"--port={port + 100}")
    assert ended.returncode == 0
    assert f"{as_made}, as it was made\n  for --images 50 --port {port + 100} run `rm -r {root}` first" in ended.stdout
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*.jpg")} == photos


def test_photos_of_a_demo_that_was_cut_short_are_made_again(demo, root: Path) -> None:
    assert demo().returncode == 0
    photo = next(root.rglob("*.jpg"))
    whole = photo.read_bytes()
    photo.write_bytes(whole[:100])
    (root / "served/demo.json").unlink()
    assert demo().returncode == 0
    assert photo.read_bytes() == whole


def test_a_demo_that_was_changed_is_not_gone_on_with(demo, root: Path) -> None:
    assert demo().returncode == 0
    next(root.rglob("*.jpg")).write_bytes(b"another photo")
    ended = demo()
    assert (ended.returncode, f"run `rm -r {root}`" in ended.stderr) == (2, True)
    assert "Try these commands" not in ended.stdout


def test_a_taken_port_is_an_error_with_a_hint_and_nothing_is_made(demo, taken, root: Path, port: int) -> None:
    ended = demo()
    assert ended.returncode == 2
    assert f"port {port} on 127.0.0.1 cannot be used: " in ended.stderr
    assert "choose another with --port" in ended.stderr
    assert ended.stdout == ""
    assert not root.exists()


def test_a_port_that_was_taken_since_the_demo_was_made_cannot_be_changed(demo, root: Path, port: int) -> None:
    assert demo().returncode == 0
    with socket.create_server(("127.0.0.1", port + 1)):
        ended = demo("--port=1")
    assert ended.returncode == 2
    assert f"port {port + 1} on 127.0.0.1 cannot be used: " in ended.stderr
    assert "stop what listens there, or start again elsewhere: `oidl demo --root-dir other" in ended.stderr
    assert "Try these commands" not in ended.stdout


def test_a_demo_whose_run_failed_does_not_end_as_if_all_was_well(demo) -> None:
    ended = demo(code=4)
    assert ended.returncode == 4
    assert "Try these commands" not in ended.stdout


def test_a_demo_does_not_go_into_a_real_root(demo, fine, run, root: Path) -> None:
    assert run(fine, "--limit=1").returncode in (0, 3)
    ended = demo()
    assert (ended.returncode, "has a state database, but not one of a demo" in ended.stderr) == (2, True)
    assert not (root / "served").exists()


def test_a_server_alone_has_no_page(oidl) -> None:
    ended = oidl("demo", "--serve", "--web")
    assert (ended.returncode, "--serve starts no run, so it has no page" in ended.stderr) == (2, True)


@pytest.fixture
def coloured(annotated) -> set[str]:
    """ImageIDs of photos that are neither grey nor CMYK."""
    found = set()
    for listed in annotated.images:
        body = annotated.site.answers[annotated.path_of(listed)].body
        assert isinstance(body, Path)
        with Pillow.open(body) as picture:
            if picture.mode == "RGB":
                found.add(listed.image.image_id)
    return found


def own_pixels(picture: Path, name: str) -> numpy.ndarray:
    """Which pixels have about the colour of the class."""
    with Pillow.open(picture) as opened:
        photo = numpy.asarray(opened.convert("RGB")).astype(int)
    return numpy.abs(photo - numpy.array(COLOURS[name])).max(axis=-1) < 80


@pytest.mark.parametrize(
    "more", [("--resize-box-size=600",), ("--resize-mode=FillCrop", "--resize-box-size=250")], ids=["shrunk", "cropped"]
)
def test_exported_boxes_lie_on_the_shapes_to_the_pixel(
    more: tuple[str, ...], annotated, oidl, run, root: Path, ask, coloured: set[str], tmp_path: Path
) -> None:
    assert run(annotated, "--load-annotations", *more).returncode == 0
    ended = oidl("export", f"--root-dir={root}", "--format=coco", f"--dest={tmp_path / 'coco'}")
    assert ended.returncode == 0, ended.stderr
    alone = "SELECT image_id FROM box GROUP BY image_id HAVING count(*) = 1 AND max(is_truncated + is_inside) = 0"
    image_ids = {image_id for (image_id,) in ask(alone)} & coloured
    checked = 0
    for path in (tmp_path / "coco").rglob("*.json"):
        found: dict[str, Any] = json.loads(path.read_text())
        if "categories" not in found:  # about the export itself
            continue
        names = {category["id"]: category["name"] for category in found["categories"]}
        pictures = {image["id"]: image for image in found["images"]}
        for annotation in found.get("annotations", ()):
            picture = pictures[annotation["image_id"]]
            if Path(picture["file_name"]).stem not in image_ids:
                continue
            left, top, width, height = annotation["bbox"]
            file = next((tmp_path / "coco").rglob(Path(picture["file_name"]).name))
            own = own_pixels(file, names[annotation["category_id"]])
            right, bottom = left + width, top + height
            middle = own[int(top + height / 2), int(left + width / 2)]
            assert middle or picture["width"] == picture["height"], "in the middle, unless it was cut"
            inside = own[round(top) : round(bottom), round(left) : round(right)]
            reached = [edge.any() for edge in (inside[:4], inside[-4:], inside[:, :4], inside[:, -4:])]
            assert all(reached), annotation
            checked += 1
    assert checked >= 8
