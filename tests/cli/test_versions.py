"""Lists and files in the shape of V4–V7: found, installed, verified, and exported byte for byte."""

import base64
import csv
import hashlib
import io
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from oidl.demo.site import CannedResponse, ServerFault, status_answer

HEADER = (
    "ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,Author,Title,"
    "OriginalSize,OriginalMD5,Thumbnail300KURL,Rotation"
)
WORDS = [
    ("Some One", "Plain"),
    ("&gt;;&lt; &amp; co", "Entities stay as they are &quot;"),
    ("Ten, Eleven", 'A title, with commas, and a "quoted" word'),
    ("José Ångström", "Парк 公園 🦊"),
    ("", ""),
    (" spaces ", '"quoted"'),
    ("back\\slash", "tab\there; semi-colon|pipe"),
]
ROTATIONS = ("", "0.0", "90.0", "180.0", "270.0")
CLASSES = 'LabelName,DisplayName\r\n/m/01,Café &amp; bar\r\n/m/02,"Ducks, geese"\r\n'.encode()
HIERARCHY = b'{"LabelName": "/m/0bl9f"}'
MASKS = b"PK\x05\x06" + bytes(18)  # a zip of nothing, put as it is


@dataclass
class Seven:
    """A V7 of the fine images, as it is served; `lists` are its image lists by name."""

    site: object
    catalogue: Path
    base_url: str
    lists: dict[str, bytes] = field(default_factory=dict)

    @property
    def asked(self) -> list[str]:
        """The names of the files that were asked for, in order."""
        return [path.rpartition("/")[2] for path, _ in self.site.log if path.startswith("/v/")]

    def rows(self, name: str, subset: str) -> list[bytes]:
        rows = self.lists[name].splitlines(keepends=True)[1:]
        return [row for row in rows if f",{subset},".encode() in row[:30]]

    def put(self, name: str, body: bytes, **more: object) -> None:
        self.site.answers[f"/v/{name}"] = CannedResponse(body, content_type="text/csv", **more)


@pytest.fixture
def seven(fine, tmp_path: Path) -> Callable[..., Seven]:
    def make(line_end: str = "\n") -> Seven:
        parts = urlsplit(fine.images[0].image.original_url)
        made = Seven(fine.site, fine.catalogue, f"{parts.scheme}://{parts.netloc}/v/")
        images = [listed.image for listed in fine.images]
        random.Random(7).shuffle(images)
        lines: dict[str, list[str]] = {}
        for number, image in enumerate(images):
            author, title = WORDS[number % len(WORDS)]
            row = io.StringIO()
            fields = image._replace(author=author, title=title, rotation=ROTATIONS[number % len(ROTATIONS)])
            csv.writer(row, lineterminator=line_end).writerow(fields)
            names = ["full.csv", *(["boxable.csv"] if image.subset == "train" and number % 2 else [])]
            for name in (*names, *([] if image.subset == "train" else [f"{image.subset}.csv"])):
                lines.setdefault(name, []).append(row.getvalue())
        for name, rows in lines.items():
            made.lists[name] = (HEADER + line_end + "".join(rows)).encode()
            made.put(name, made.lists[name])
        made.put("classes.csv", CLASSES)
        made.put("hierarchy.json", HIERARCHY)
        made.put("test-masks-0.zip", MASKS)
        for subset in ("train", "validation", "test"):
            made.put(f"{subset}-bbox.csv", f"ImageID\n{subset}\n".encode() * 1000)
        md5, sha256 = hashlib.md5(CLASSES).hexdigest(), hashlib.sha256(HIERARCHY).hexdigest()
        made.catalogue.write_text(f'''
base_url = "{made.base_url}"
[version.7]
title = "Seven"
directory = "v7"
subsets = ["train", "validation", "test"]
files = [
    {{ kind = "image-list", extent = "full", url = "full.csv" }},
    {{ kind = "image-list", extent = "boxable", subset = "train", url = "boxable.csv" }},
    {{ kind = "image-list", subset = "validation", url = "validation.csv" }},
    {{ kind = "image-list", subset = "test", url = "test.csv" }},
    {{ kind = "classes", url = "classes.csv", bytes = {len(CLASSES)}, md5 = "{md5}" }},
    {{ kind = "hierarchy", url = "hierarchy.json", sha256 = "{sha256}" }},
    {{ kind = "boxes", subset = "train", url = "train-bbox.csv" }},
    {{ kind = "boxes", subset = "validation", url = "validation-bbox.csv" }},
    {{ kind = "boxes", subset = "test", url = "test-bbox.csv" }},
    {{ kind = "masks", subset = "test", url = "test-masks-{{shard}}.zip", shards = "0", optional = true }},
]
''')
        return made

    return make


@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_the_rows_come_out_as_published_byte_for_byte(line_end: str, seven, fine, run, root: Path) -> None:
    made = seven(line_end)
    for listed in fine.images[::3]:
        fine.site.answers[fine.path_of(listed)] = status_answer(404)
    ended = run(fine)
    assert (ended.returncode, ended.stderr) == (0, "")
    ending, failed = line_end.encode(), 0
    for subset in ("train", "validation", "test"):
        published = made.rows("full.csv", subset)
        had, missed = (
            (root / "v7" / subset / f"images-{what}.csv").read_bytes().splitlines(keepends=True)
            for what in ("success", "failure")
        )
        assert had[0] == HEADER.encode() + ending
        assert missed[0] == HEADER.encode() + b",FailureDetails" + ending
        less = [row.rpartition(b",")[0] + ending for row in missed[1:]]
        assert had[1:] == [row for row in published if row in set(had)]
        assert less == [row for row in published if row in set(less)]
        assert sorted(had[1:] + less) == sorted(published)
        failed += len(less)
    assert failed == len(fine.images[::3])


def test_files_are_put_below_their_subset_as_published_and_only_once(seven, fine, run, root: Path, ask) -> None:
    made = seven()
    assert run(fine, "--no-download-images").returncode == 0
    assert (root / "v7/classes.csv").read_bytes() == CLASSES
    assert (root / "v7/hierarchy.json").read_bytes() == HIERARCHY
    assert (root / "v7/test/test-bbox.csv").read_bytes() == b"ImageID\ntest\n" * 1000
    assert not list(root.rglob("*.zip"))
    assert not list(root.rglob("*.part*"))
    rows = {name: row for name, *row in ask("SELECT name, md5, checked_by FROM archive")}
    assert rows["v7/classes.csv"] == [hashlib.md5(CLASSES).hexdigest(), "md5"]
    assert rows["v7/hierarchy.json"] == [hashlib.md5(HIERARCHY).hexdigest(), "sha256"]
    assert rows["v7/test/test-bbox.csv"][1] is None
    asked = made.asked
    assert run(fine, "--no-download-images").returncode == 0
    assert made.asked == asked


def test_one_subset_needs_neither_the_long_list_nor_the_others_files(seven, fine, run, ask) -> None:
    made = seven()
    assert run(fine, "--subset=validation").returncode == 0
    assert sorted(made.asked) == ["classes.csv", "hierarchy.json", "validation-bbox.csv", "validation.csv"]
    assert ask("SELECT DISTINCT subset FROM image") == [("validation",)]


def test_the_boxable_list_is_asked_for_by_name_and_does_not_mix_with_the_full_one(seven, fine, run, ask) -> None:
    made = seven()
    assert run(fine, "--image-list=boxable", "--nodownload-metadata").returncode == 0
    assert ask("SELECT count(*) FROM image WHERE subset = 'train'") == [(len(made.rows("boxable.csv", "train")),)]
    assert sorted(made.asked) == ["boxable.csv", "test.csv", "validation.csv"]
    ended = run(fine, "--nodownload-metadata")
    assert ended.returncode == 6
    assert "boxable.csv, not version 7 from" in ended.stderr
    assert run(fine, "--image-list=labels").returncode == 2


def test_a_kind_that_is_named_is_fetched_and_others_are_not(seven, fine, run, root: Path) -> None:
    made = seven()
    assert run(fine, "--no-download-images", "--annotations=masks").returncode == 0
    assert (root / "v7/test/test-masks-0.zip").read_bytes() == MASKS
    assert not [name for name in made.asked if "bbox" in name]


def test_a_removed_file_is_fetched_again_if_it_is_not_in_the_database(seven, fine, run, root: Path) -> None:
    made = seven()
    kinds = ("--annotations=masks", "--annotations=boxes")
    run(fine, "--no-download-images", *kinds)
    for name in ("test-masks-0.zip", "test-bbox.csv"):
        (root / "v7/test" / name).unlink()
    asked = Counter(made.asked)
    run(fine, "--no-download-images", *kinds)
    assert Counter(made.asked) - asked == Counter(["test-masks-0.zip"])
    assert (root / "v7/test/test-masks-0.zip").read_bytes() == MASKS


@pytest.mark.parametrize(
    ("headers", "header"),
    [
        ({"x-goog-hash": "crc32c=AAAAAA==,md5={b64}"}, "x-goog-hash"),
        ({"ETag": '"{hex}"'}, "etag"),
    ],
)
def test_where_no_checksum_is_published_the_servers_is_checked(headers, header, seven, fine, run, root, ask) -> None:
    made = seven()
    body = b"ImageID\nx\n" * 50
    right, wrong = hashlib.md5(body), hashlib.md5(b"other")

    def told(md5) -> dict[str, str]:
        words = {"hex": md5.hexdigest(), "b64": base64.b64encode(md5.digest()).decode()}
        return {name: value.format(**words) for name, value in headers.items()}

    made.put("test-bbox.csv", body, headers=told(wrong))
    ended = run(fine, "--no-download-images")
    assert ended.returncode == 4
    assert f"expected MD5 {wrong.hexdigest()}, got MD5 {right.hexdigest()}" in ended.stderr
    assert not (root / "v7/test/test-bbox.csv").exists()
    made.put("test-bbox.csv", body, headers=told(right))
    assert run(fine, "--no-download-images").returncode == 0
    assert ask("SELECT checked_by FROM archive WHERE name = 'v7/test/test-bbox.csv'") == [(header,)]


def test_a_plain_file_that_broke_off_is_gone_on_with(seven, fine, run, root: Path) -> None:
    made = seven()
    body = bytes(range(32, 127)) * 20_000
    cut = CannedResponse(body, behaviour=ServerFault.CUT, resumable=True)
    made.put("test-bbox.csv", body, first=(cut,))
    assert run(fine, "--no-download-images").returncode == 0
    assert (root / "v7/test/test-bbox.csv").read_bytes() == body
    assert [status for path, status in made.site.log if path == "/v/test-bbox.csv"] == [200, 206]


def test_the_catalogue_is_a_table_and_json(seven, oidl) -> None:
    made = seven()
    ended = oidl("catalogue", f"--catalogue={made.catalogue}")
    lines = ended.stdout.splitlines()
    assert (ended.returncode, len(lines)) == (0, 11)
    assert lines[2].split() == ["7", "image-list", "(boxable)", "train", "?", "none", f"{made.base_url}boxable.csv"]
    listed = json.loads(oidl("catalogue", f"--catalogue={made.catalogue}", "--json", "--dataset-version=7").stdout)
    assert [file["optional"] for file in listed] == [False] * 9 + [True]
    assert not made.asked


def test_what_is_there_as_published_passes_the_check_and_what_is_not_is_told_of(seven, oidl) -> None:
    made = seven()
    assert oidl("catalogue", f"--catalogue={made.catalogue}", "--check").returncode == 0
    assert len(made.asked) == 10
    made.put("classes.csv", CLASSES + b"\n")
    made.site.answers["/v/full.csv"] = status_answer(403)
    made.put("hierarchy.json", b"", headers={"Location": f"{made.base_url}test.csv"}, status=302)
    ended = oidl("catalogue", f"--catalogue={made.catalogue}", "--check", "--json")
    assert (ended.returncode, ended.stderr) == (4, "")
    verdicts = {file["name"]: file["check"]["verdict"] for file in json.loads(ended.stdout)}
    assert verdicts.pop("classes.csv") == f"{len(CLASSES) + 1} bytes, published {len(CLASSES)}"
    assert verdicts.pop("full.csv") == "HTTP 403"
    assert set(verdicts.values()) == {"ok"}
    made.put("classes.csv", CLASSES, headers={"ETag": f'"{"0" * 32}"'})
    ended = oidl("catalogue", f"--catalogue={made.catalogue}", "--check")
    assert f"MD5 {'0' * 32}, published {hashlib.md5(CLASSES).hexdigest()}" in ended.stdout


def test_a_server_that_is_not_there_is_told_of_by_the_check(seven, oidl) -> None:
    made = seven()
    made.catalogue.write_text(made.catalogue.read_text().replace(made.base_url, "http://127.0.0.1:9/"))
    ended = oidl("catalogue", f"--catalogue={made.catalogue}", "--check")
    assert (ended.returncode, ended.stderr) == (4, "")
    assert ended.stdout.count("connection: ") == 10


def test_a_list_that_has_arrived_in_part_waits_while_another_subset_is_brought(seven, fine, run, root: Path) -> None:
    made = seven()
    body = made.lists["full.csv"]
    made.put(
        "full.csv", body, first=(CannedResponse(body, behaviour=ServerFault.CUT, resumable=True), status_answer(404))
    )
    assert run(fine, "--subset=train", "--nodownload-metadata").returncode == 4
    part = root / "full.csv.part"
    assert part.stat().st_size
    assert run(fine, "--subset=test", "--nodownload-metadata").returncode == 0
    assert part.exists()
    assert run(fine, "--subset=train", "--nodownload-metadata").returncode == 0
    assert not part.exists()
    assert [status for path, status in made.site.log if path == "/v/full.csv"] == [200, 404, 206]
