"""A network that answers with its own pages for a while: no photo fails for it, and repeated runs get them all."""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from oidl.demo.site import CannedResponse, Site, redirect, status_answer
from oidl.imaging.photo import photo

HEADER = (
    "ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,"
    "Author,Title,OriginalSize,OriginalMD5,Thumbnail300KURL\n"
)
LOGIN = CannedResponse(b"<html>please log in</html>", content_type="text/html")
PHOTO = photo(1, 64, 48)
IMAGES = 600


class Portal(Site):
    """Has every photo, but for the requests from `first` to `last`: these get `page`."""

    page: CannedResponse = LOGIN
    first = last = 0
    count = 0

    def answer(self, path: str, now: float) -> CannedResponse:
        self.count += path != "/login"
        return self.page if self.first <= self.count <= self.last else super().answer(path, now)


@pytest.fixture
def loop(served, fine_dataset, oidl, root: Path, tmp_path: Path, base_urls) -> Callable[..., list[CompletedProcess]]:
    """Runs with these options until the exit code is not 3, as the manual has it: `loop(portal, images)`."""

    def run(portal: Portal, images: int, *options: str, most: int = 30, max_wait: str = "2") -> list[CompletedProcess]:
        served(fine_dataset, portal)
        md5 = base64.b64encode(hashlib.md5(PHOTO).digest()).decode()
        rows = [
            f'{number:016x},train,{base_urls[0]}/{number}_o.jpg,l,c,p,"a","t",{len(PHOTO)},{md5},\n'
            for number in range(images)
        ]
        (tmp_path / "list.csv").write_text(HEADER + "".join(rows), "utf-8")
        portal.answers = {f"/{number}_o.jpg": CannedResponse(PHOTO) for number in range(images)} | portal.answers
        command = ("run", f"--root-dir={root}", f"--images-csv={tmp_path / 'list.csv'}", "--dataset-version=3")
        ended: list[CompletedProcess] = []
        while not ended or (ended[-1].returncode == 3 and len(ended) < most):
            ended.append(oidl(*command, "--no-download-metadata", f"--max-wait={max_wait}", *options))
        return ended

    return run


@pytest.mark.parametrize(
    "page",
    [LOGIN, status_answer(404), status_answer(403), redirect("/login"), CannedResponse()],
    ids=lambda page: page.status,
)
def test_every_image_is_had_by_the_loop_when_a_portal_answers_in_the_middle(page: CannedResponse, loop, ask) -> None:
    portal = Portal({"/login": LOGIN})
    portal.page, portal.first, portal.last = page, 150, 520
    ended = loop(portal, IMAGES)
    # Whether a run stops, or sees the portal leave in time, is a matter of speed; what it condemned comes back.
    assert portal.count > portal.last
    assert all(each.returncode == 3 for each in ended[:-1])
    assert [each.returncode for each in ended[-1:]] == [0]
    assert ask("SELECT status, count(*) FROM download GROUP BY 1") == [("done", IMAGES)]


def test_a_404_in_a_row_that_was_put_back_is_counted_and_said(loop, ask) -> None:
    portal = Portal()
    portal.page, portal.first, portal.last = status_answer(404), 1, 10_000
    (ended,) = loop(portal, 210, most=1)
    assert ended.returncode == 3
    assert " images that failed for the same reason will be retried" in ended.stdout
    assert ask("SELECT count(*) FROM download WHERE status = 'failed'") == [(0,)]
    assert ask("SELECT DISTINCT counts FROM attempt") == [(0,)]


def test_a_short_run_in_which_everything_fails_alike_condemns_nothing(loop, ask) -> None:
    portal = Portal()
    portal.first, portal.last = 1, 120  # three tries of each
    first, *_, last = loop(portal, 40)
    assert first.returncode == 3
    assert "of the last 40 tries failed for the same reason, not_an_image" in first.stdout
    assert last.returncode == 0
    assert ask("SELECT status, count(*) FROM download GROUP BY 1") == [("done", 40)]


def test_what_fails_alike_can_be_accepted(loop, ask) -> None:
    portal = Portal()
    portal.first, portal.last = 1, 10_000
    assert loop(portal, 40, "--max-failure-rate=2")[-1].returncode == 0
    assert ask("SELECT status, count(*) FROM download GROUP BY 1") == [("failed", 40)]


def test_the_last_images_of_a_list_that_always_fail_settle(loop, ask) -> None:
    portal = Portal({f"/{number}_o.jpg": LOGIN for number in range(12)})
    last = loop(portal, 40, "--confirm-after=0.5", max_wait="0")[-1]
    assert last.returncode == 0
    assert ask("SELECT status, count(*) FROM download GROUP BY 1 ORDER BY 1") == [("done", 28), ("failed", 12)]


def test_a_limit_that_is_reached_by_the_last_image_is_a_finished_run(loop, ask) -> None:
    assert [each.returncode for each in loop(Portal(), 1, "--max-bytes=1")] == [0]
    assert ask("SELECT outcome FROM run") == [("finished",)]
