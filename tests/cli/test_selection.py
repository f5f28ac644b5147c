"""Which list, and which of its images: `--images-csv`, `--image-ids`, `--subset`."""

import gzip
from pathlib import Path

import pytest

from oidl.demo.site import CannedResponse

HEADER = (
    b"ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,"
    b"Author,Title,OriginalSize,OriginalMD5,Thumbnail300KURL\n"
)


def test_image_ids_choose_the_images_with_or_without_their_subset(fine, run, ask, tmp_path: Path) -> None:
    selected = [fine.images[number].image for number in (2, 11, 21)]
    ids = tmp_path / "ids.txt"
    ids.write_text(
        f"# mine\n{selected[0].image_id}\n\n{selected[1].subset}/{selected[1].image_id}\n"
        f"  {selected[2].image_id}  \n{selected[0].image_id}\n00000000deadbeef\ntrain/00000000deadbee0\n",
        encoding="utf-8-sig",  # as some editors write it
    )
    ended = run(fine, "--image-ids", ids)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "2 of the given ImageIDs are not in the list: 00000000deadbee0, 00000000deadbeef" in ended.stdout
    assert "3 of 3 chosen images are done; " in ended.stdout
    assert {image_id for (image_id,) in ask("SELECT image_id FROM download WHERE status = 'done'")} == {
        image.image_id for image in selected
    }
    assert sum(fine.requests.values()) == 3
    assert run(fine, "--image-ids", ids).returncode == 0
    assert sum(fine.requests.values()) == 3


def test_image_ids_and_a_limit_hold_together(fine, run, ask, tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text("".join(f"{listed.image.image_id}\n" for listed in fine.images[5:15]))
    assert run(fine, "--image-ids", ids, "--limit=4").returncode == 0
    assert sum(fine.requests.values()) == 4
    assert run(fine, "--image-ids", ids).returncode == 0
    assert ask("SELECT count(*) FROM download WHERE status = 'done'") == [(10,)]


@pytest.mark.parametrize("subsets", [("test",), ("validation", "train"), ("test", "test")])
def test_subset_loads_and_fetches_these_alone(subsets: tuple[str, ...], fine, run, ask, root: Path) -> None:
    options = [text for subset in subsets for text in ("--subset", subset)]
    assert run(fine, *options).returncode == 0
    expected = sum(listed.image.subset in subsets for listed in fine.images)
    assert ask("SELECT status, count(*) FROM download GROUP BY 1") == [("done", expected)]
    assert {path.parent.name for path in root.rglob("images-success.csv")} == set(subsets)


def test_another_subset_can_be_added_later(fine, run, ask, exported_as_published) -> None:
    assert run(fine, "--subset=test").returncode == 0
    assert run(fine).returncode == 0
    assert fine.requests == {fine.path_of(listed): 1 for listed in fine.images}
    assert ask("SELECT subset, images FROM image_list") == ask(
        "SELECT subset, count(*) FROM image GROUP BY subset ORDER BY subset"
    )
    exported_as_published(fine)


def test_a_subset_that_is_loaded_may_be_done_alone(fine, run, ask) -> None:
    assert run(fine, "--limit=0").returncode == 0
    assert run(fine, "--subset=validation").returncode == 0
    assert ask("SELECT DISTINCT subset FROM download WHERE status = 'done'") == [("validation",)]
    assert ask("SELECT DISTINCT subset FROM download WHERE status = 'pending' ORDER BY 1") == [("test",), ("train",)]


@pytest.mark.parametrize("place", ["local", "relative", "http"])
@pytest.mark.parametrize("kind", ["csv", "csv.gz", "tar.gz"])
def test_an_image_list_of_ones_own(
    kind: str, place: str, fine, oidl, run, ask, base_urls, tmp_path, root: Path
) -> None:
    if kind == "tar.gz":
        content = fine.site.answers[fine.list_path].body.read_bytes()
    else:
        content = HEADER + b"".join(row for rows in fine.rows().values() for row in rows)
        content = gzip.compress(content) if kind == "csv.gz" else content
    name = f"mine.{kind}"
    (oidl.cwd / name).write_bytes(content)
    fine.site.answers[f"/lists/{name}"] = CannedResponse(oidl.cwd / name, content_type="application/octet-stream")
    source = {"local": oidl.cwd / name, "relative": name, "http": f"{base_urls[2]}/lists/{name}"}[place]
    ended = run(fine, "--images-csv", source, "--nodownload-metadata", "--limit=2")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not fine.site.requests[fine.list_path]
    assert ask("SELECT count(*) FROM image") == [(len(fine.images),)]
    assert ask("SELECT count(*) FROM download WHERE status = 'done'") == [(2,)]
    asked = fine.site.requests[f"/lists/{name}"]
    assert run(fine, "--images-csv", source, "--nodownload-metadata").returncode == 0
    is_remote = place == "http"
    assert asked == is_remote
    assert fine.site.requests[f"/lists/{name}"] == 2 * is_remote, "once whole, then a HEAD: has it changed?"
    assert not list(root.glob("*.part*"))


def test_a_list_with_crlf_a_byte_order_mark_and_columns_in_another_order_is_read(fine, run, ask, oidl) -> None:
    row = next(listed.image for listed in fine.images if listed.image.subset == "train")
    (oidl.cwd / "mine.csv").write_bytes(
        b"\xef\xbb\xbfSubset,ImageID,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,Author,Title,"
        b"OriginalMD5,OriginalSize,Thumbnail300KURL\r\n"
        + f"train,{row.image_id},{row.original_url},l,l,p,a,t,{row.original_md5},{row.original_size},\r\n".encode()
    )
    assert run(fine, "--images-csv=mine.csv", "--nodownload-metadata").returncode == 0
    assert ask("SELECT image_id, status FROM download") == [(row.image_id, "done")]
