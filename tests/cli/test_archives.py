"""Archives of annotations on their way into the database: fetched once, and read where the catalogue says."""

import io
import re
import tarfile
from collections import Counter

import pytest
from refusals import member_of, tar_gz

from oidl.demo.site import CannedResponse

SKY = "/m/01bqvp"
NAMED = "2017_11/{subset}/annotations-human.csv"


def name_the_members(loopback) -> None:
    """Makes the catalogue say which files the archive of annotations has."""
    text = loopback.catalogue.read_text()
    entry = 'name = "annotations_human_demo.tar.gz"'
    loopback.catalogue.write_text(text.replace(entry, f'{entry}, member = "{NAMED}"'))
    assert NAMED in loopback.catalogue.read_text()


def with_more(packed: bytes, name: str) -> bytes:
    """The archive with one more file, which has no annotations."""
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        members = [(member, tar.extractfile(member).read()) for member in tar]
    return tar_gz([*members, (member_of(name), b"Read me.\nThank you.\n")])


def asked(loopback) -> Counter[str]:
    return Counter({path: count for path, count in loopback.site.requests.items() if path.endswith(".tar.gz")})


@pytest.mark.parametrize("is_named", [True, False])
def test_an_archive_that_is_unpacked_and_loaded_is_fetched_once(is_named: bool, fine, run, ask) -> None:
    if is_named:
        name_the_members(fine)
    images = len(fine.images) - 1  # some of every subset
    assert run(fine, f"--limit={images}").returncode == 0
    assert fine.annotations_path in asked(fine)
    assert set(asked(fine).values()) == {1}
    assert ask("SELECT count(*) FROM label") == [(3 * images,)]


@pytest.mark.parametrize("options", [["--limit=5"], ["--load-annotations"]])
def test_a_file_that_the_catalogue_does_not_name_is_not_read(options, fine, served_archive, run, ask) -> None:
    name_the_members(fine)
    body = fine.site.answers[fine.annotations_path].body.read_bytes()
    served_archive(fine.annotations_path, with_more(body, "2017_11/README.txt"))
    ended = run(fine, *options)
    assert (ended.returncode, ended.stderr) == (0, "")
    images = 5 if "--limit=5" in options else len(fine.images)
    assert ask("SELECT count(*) FROM label") == [(3 * images,)]


def test_an_archive_of_one_named_file_for_all_subsets_is_read(fine, served_archive, load, ask) -> None:
    """Lists of classes may lie beside the file; they are not it."""
    text = fine.catalogue.read_text()
    entry = 'name = "annotations_human_demo.tar.gz"'
    fine.catalogue.write_text(text.replace(entry, f'{entry}, member = "2017_11/labels.csv"'))
    rows = [f"{listed.image.image_id},verification,{SKY},1\n" for listed in fine.images]
    body = "".join(["ImageID,Source,LabelName,Confidence\n", *rows]).encode()
    served_archive(fine.annotations_path, tar_gz([(member_of("2017_11/labels.csv"), body)]))
    assert load(fine).returncode == 0
    assert ask("SELECT count(*) FROM label") == [(len(fine.images),)]


@pytest.mark.parametrize("is_named", [True, False])
def test_a_file_that_was_removed_before_it_is_loaded_is_fetched_again(is_named: bool, fine, run, load, root) -> None:
    if is_named:
        name_the_members(fine)
    assert run(fine).returncode == 0
    (root / NAMED.replace("{subset}", "train")).unlink()
    before = asked(fine)[fine.annotations_path]
    ended = load(fine)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert asked(fine)[fine.annotations_path] == before + 1


def test_two_archives_with_files_of_the_same_name_are_both_loaded(fine, run, ask) -> None:
    """The second one replaces the files of the first, before these are loaded."""
    text = fine.catalogue.read_text()
    (entry,) = re.findall(r".*annotations_human_demo.*\n", text)
    (url,) = re.findall(r'url = "([^"]*)"', entry)
    entries = []
    for kind, source, confidence in (("labels", "verification", 1), ("machine-labels", "machine", 0.5)):
        rows = [f"{listed.image.image_id},{source},{SKY},{confidence}\n" for listed in fine.images]
        body = "".join(["ImageID,Source,LabelName,Confidence\n", *rows]).encode()
        packed = tar_gz([(member_of("2017_11/train/labels.csv"), body)])
        fine.site.answers[fine.annotations_path.replace("human", source)] = CannedResponse(packed)
        entries.append(f'    {{ kind = "{kind}", url = "{url.replace("human", source)}" }},\n')
    fine.catalogue.write_text(text.replace(entry, "".join(entries)))
    images = len(fine.images)
    assert run(fine, f"--limit={images}", "--annotations=labels", "--annotations=machine-labels").returncode == 0
    assert ask("SELECT source, count(*) FROM label GROUP BY 1") == [("machine", images), ("verification", images)]
