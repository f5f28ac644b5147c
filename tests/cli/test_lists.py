"""The user's own image lists: recognised by content at any address, and recorded without the secrets in it."""

from pathlib import Path

import pytest
import trio

from oidl.demo.site import CannedResponse, ServerFault
from oidl.pipeline.durability import Durability

LIST = "list.csv"
HEADER = (
    "ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,Author,Title,"
    "OriginalSize,OriginalMD5,Thumbnail300KURL\n"
)


def row(number: int, url: str = "http://127.0.0.1:9/x.jpg") -> str:
    return f'{number:016x},train,{url},l,c,p,"a","t",5,1B2M2Y8AsgTpgAmY7PhCfg==,\n'


def test_a_list_that_has_grown_is_read_again_and_a_moved_one_is_the_same(fine, run, ask, tmp_path: Path) -> None:
    path = tmp_path / LIST
    path.write_text(HEADER + row(1) + row(2))
    assert run(fine, f"--images-csv={path}", "--limit=0").returncode in (0, 3)
    path.write_text(HEADER + row(1) + row(2) + row(3) + row(3, "http://127.0.0.1:9/other.jpg"))
    said = run(fine, f"--images-csv={path}", "--limit=0").stdout
    assert "line 5: ImageID 0000000000000003 is already in line 4, with another OriginalURL; the first is kept" in said
    assert "the list was read again: 1 image new, 0 changed, 0 removed" in said
    assert "1 row of the image list was skipped when it was loaded" in said
    assert ask("SELECT count(*), (SELECT sum(skipped) FROM image_list) FROM image") == [(3, 1)]
    path.rename(tmp_path / "moved.csv")
    ended = run(fine, f"--images-csv={tmp_path / 'moved.csv'}", "--limit=0")
    assert (ended.returncode in (0, 3), "read again" in ended.stdout) == (True, False)
    assert ask("SELECT DISTINCT source FROM image_list") == [(str(tmp_path / "moved.csv"),)]
    missing = run(fine, f"--images-csv={tmp_path / 'typo.csv'}", "--limit=0")
    assert (missing.returncode, "there is no image list" in missing.stderr) == (2, True)
    refused = run(fine, "--limit=0")
    assert refused.returncode == 6
    assert f"use --images-csv {tmp_path / 'moved.csv'} to continue with it" in refused.stderr


def test_what_may_be_secret_in_the_url_of_a_list_is_shown_and_stored_nowhere(
    fine, run, root: Path, tmp_path: Path, base_urls: tuple[str, ...]
) -> None:
    url = base_urls[0].replace("://", "://joe:hunter2@") + fine.list_path + "?sig=SECRET"
    log = tmp_path / "oidl.log"
    missing = run(fine, f"--images-csv={url.replace('.tar.gz', '.none')}", "--limit=0")
    assert missing.returncode == 4
    assert "hunter2" not in missing.stdout + missing.stderr
    assert "SECRET" not in missing.stdout + missing.stderr
    ended = run(fine, f"--images-csv={url}", "--limit=0", "--no-download-metadata", f"--log-file={log}")
    assert ended.returncode in (0, 3)
    written = [path.read_bytes() for path in (*root.rglob("*"), log) if path.is_file()]
    for secret in ("joe", "hunter2", "SECRET"):
        assert secret not in ended.stdout + ended.stderr
        assert not any(secret.encode() in body for body in written)


def test_a_list_that_takes_longer_than_the_mark_of_synced_files_is_loaded_whole(
    fine, run, ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def sync_often(durability: Durability) -> None:
        while True:
            await trio.sleep(0.02)
            await durability.sync()

    monkeypatch.setattr(Durability, "run", sync_often)
    body = fine.site.answers[fine.list_path].body
    assert isinstance(body, Path)
    speed = body.stat().st_size / 0.4
    fine.site.answers[fine.list_path] = CannedResponse(body, behaviour=ServerFault.SLOW, bytes_per_s=speed)
    ended = run(fine)
    assert ended.returncode == 0, ended.stderr
    assert ask("SELECT count(*) FROM success") == [(24,)]
