"""`oidl renditions remove --license`: images go because of what a licence check found, and stay away."""

import os
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def renditions(oidl, root: Path) -> Any:
    return lambda *arguments, **more: oidl("renditions", *arguments, f"--root-dir={root}", **more)


@pytest.fixture
def checked(fine, run, oidl, tell, ask, root: Path) -> Any:
    """A root with two renditions, six images of which have changed, two are gone, the others the same."""

    def make(*options: str) -> list[str]:
        assert run(fine, "--no-download-metadata", *options).returncode == 0
        images = [image_id for (image_id,) in ask("SELECT image_id FROM download ORDER BY image_id")]
        for number, image_id in enumerate(images):
            verdict = "changed" if number < 6 else "gone" if number < 8 else "same"
            tell(
                "INSERT INTO license_check (image_id, subset, checked_at, via, verdict, license_url, license_class) "
                "VALUES (?, 'train', '2026-11-29T00:00:00.000Z', 'oembed', ?, ?, ?)",
                image_id, verdict,
                *(("https://example.org/nc", "nc") if verdict == "changed" else (None, None)),
            )  # fmt: skip
        return images

    return make


@pytest.fixture
def files(root: Path) -> Any:
    """The ImageIDs of the files below a rendition's directory."""
    return lambda name: {path.stem for path in root.rglob(f"{name}/*/*.jpg")}


def test_they_go_in_all_renditions_and_are_not_fetched_again(fine, checked, renditions, ask, oidl, files, root) -> None:
    images = checked("--save-original-images")
    ended = renditions("remove", "--license=changed,gone")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "removed 8 images: 16 files, " in ended.stdout
    assert files("images-resized") == files("images-original") == set(images[8:])
    assert ask("SELECT image_id, detail FROM download WHERE status = 'failed' AND reason = 'license'") == [
        (image_id, "changed: https://example.org/nc" if number < 6 else "gone")
        for number, image_id in enumerate(images[:8])
    ]
    asked = sum(fine.requests.values())
    assert oidl("run", f"--root-dir={root}").returncode == 0
    assert sum(fine.requests.values()) == asked
    verified = oidl("verify", f"--root-dir={root}")
    assert (verified.returncode, verified.stderr) == (0, ""), verified.stdout
    assert "removed because of its licence" in oidl("status", f"--root-dir={root}").stdout
    assert "removed 0 images: 0 files" in renditions("remove", "--license=changed").stdout
    assert oidl("run", f"--root-dir={root}", "--retry-failed=license").returncode == 0
    assert files("images-resized") == set(images)


@pytest.mark.parametrize("at", [0, 5, 11])
def test_a_removal_that_was_cut_off_is_finished_by_the_next_one(
    at: int, checked, renditions, ask, oidl, files, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = checked("--save-original-images")
    unlink, count = os.unlink, iter(range(100))

    def broken(path: os.PathLike[str] | str) -> None:
        if Path(path).suffix == ".jpg" and next(count) == at:
            raise PermissionError(13, "Permission denied", str(path))
        unlink(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", broken)
        assert renditions("remove", "--license=nc").returncode == 5
    assert ask("SELECT count(*) FROM file") == [(2 * 18,)]  # rows go before files
    assert renditions("remove", "--license=nc").returncode == 0
    assert ask("SELECT count(*) FROM removed_file") == [(0,)]
    assert files("images-resized") == files("images-original") == set(images[6:])
    assert oidl("verify", f"--root-dir={root}").returncode == 0


def test_images_leave_shards_with_the_next_run(checked, renditions, ask, oidl, root: Path) -> None:
    checked("--output-format=webdataset", "--shard-samples=8")
    ended = renditions("remove", "--license=changed")
    assert "removed 6 images" in ended.stdout
    assert "shards still contain them until" in ended.stdout
    assert oidl("run", f"--root-dir={root}").returncode == 0
    assert ask("SELECT count(*) FROM shard_member") == [(18,)]
    removed = [image_id for (image_id,) in ask("SELECT image_id FROM download WHERE reason = 'license'")]
    shards = b"".join(path.read_bytes() for path in root.rglob("*.tar"))
    assert not [image_id for image_id in removed if image_id.encode() in shards]
    assert oidl("verify", f"--root-dir={root}").returncode == 0


def test_a_run_says_why_a_licence_chooses_nothing(fine, run, oidl, checked, root: Path) -> None:
    ended = run(fine, "--no-download-metadata", "--license=nc", "--log-to-stdout")
    assert "0 images chosen" in ended.stdout
    assert f"no image has a licence check; run `oidl check-licenses --root-dir {root} --of all` first" in ended.stdout
    checked("--license=same,unchecked")
    ended = oidl("run", f"--root-dir={root}", "--license=nd", "--log-to-stdout")
    assert "no image meets --license nd; " in ended.stdout


def test_packs_that_still_contain_them_are_named(checked, renditions, oidl, root: Path) -> None:
    checked()
    assert oidl("pack", f"--root-dir={root}").returncode == 0
    ended = renditions("remove", "--license=changed")
    assert "packs still contain some of them: " in ended.stdout
    assert f"run `oidl pack --root-dir {root} --again` to pack without" in ended.stdout
    assert oidl("pack", f"--root-dir={root}", "--again", "--license=same").returncode == 0
    assert "packs" not in renditions("remove", "--license=gone").stdout


def test_nothing_goes_unless_it_is_typed(checked, renditions, oidl, files, root: Path) -> None:
    images = checked()
    (oidl.cwd / "oidl.toml").write_text('license = "same"\n')
    assert renditions("remove").returncode == 2
    assert renditions("remove", env={"OIDL_LICENSE": "same"}).returncode == 2
    (oidl.cwd / "oidl.toml").unlink()
    for wrong in (["--license=unchecked"], ["--license="], ["images-resized", "--license=same"], ["--license=other"]):
        assert renditions("remove", *wrong).returncode == 2, wrong
    assert files("images-resized") == set(images)


def test_a_file_that_no_run_can_have_written_is_left_alone(checked, renditions, tell, tmp_path: Path) -> None:
    images = checked()
    precious = tmp_path / "precious.jpg"
    precious.write_bytes(b"mine")
    tell("UPDATE file SET path = ? WHERE image_id = ?", str(precious), images[0])
    ended = renditions("remove", "--license=changed")
    assert "removed 6 images: 5 files" in ended.stdout
    assert "left alone 1 file that the database names but oidl did not write" in ended.stdout
    assert precious.read_bytes() == b"mine"
