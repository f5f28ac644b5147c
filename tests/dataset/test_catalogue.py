"""The catalogue: the built-in one is whole, and another is checked before it is believed."""

from pathlib import Path

import pytest

from oidl.dataset.catalogue import Archive, find_version, read_catalogue
from oidl.errors import ExitCode, UsageError

MINE = """
[version.mine]
title = "My own"
directory = "mine"
subsets = ["train"]
quoting = "minimal"

[version.mine.image_list]
name = "images.csv"
url = "http://127.0.0.1:8000/images.csv"
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "catalogue.toml"
    path.write_text(MINE)
    return path


def test_the_built_in_catalogue_has_the_three_versions() -> None:
    catalogue = read_catalogue(None)
    assert {name: version.directory for name, version in catalogue.items()} == {
        "1": "images_2016_08",
        "2": "2017_07",
        "3": "2017_11",
    }
    assert catalogue["1"].subsets == ("train", "validation")
    assert catalogue["2"].subsets == catalogue["3"].subsets == ("train", "validation", "test")
    assert [len(version.metadata) for version in catalogue.values()] == [2, 4, 4]


def test_every_built_in_archive_has_its_size_its_md5_and_its_name_in_the_url() -> None:
    for version in read_catalogue(None).values():
        for archive in (version.image_list, *version.metadata):
            assert archive.bytes
            assert archive.md5
            assert (
                archive.url == f"https://storage.googleapis.com/openimages/{archive.url.split('/')[-2]}/{archive.name}"
            )


@pytest.mark.parametrize("name", ["3", "v3", "V3"])
def test_a_version_is_found_with_and_without_its_v(name: str) -> None:
    assert find_version(read_catalogue(None), name).name == "3"


def test_a_version_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(UsageError, match="'9'") as refused:
        find_version(read_catalogue(None), "9")
    assert refused.value.hint == "the catalogue has: 1, 2, 3"


def test_another_catalogue_may_leave_out_sizes_md5s_and_metadata(written: Path) -> None:
    version = read_catalogue(written)["mine"]
    assert version.image_list == Archive("images.csv", "http://127.0.0.1:8000/images.csv", None, None)
    assert version.metadata == ()
    assert version.quoting == "minimal"


@pytest.mark.parametrize(
    ("published", "wrong", "key"),
    [
        ('directory = "mine"', 'directory = "../mine"', "version.mine.directory"),
        ('directory = "mine"', 'directory = ".."', "version.mine.directory"),
        ('directory = "mine"', 'directory = "/mine"', "version.mine.directory"),
        ('directory = "mine"', "", "version.mine.directory"),
        ('title = "My own"', "title = 3", "version.mine.title"),
        ('subsets = ["train"]', 'subsets = "train"', "version.mine.subsets"),
        ('subsets = ["train"]', "subsets = []", "version.mine.subsets"),
        ('subsets = ["train"]', 'subsets = ["train", "train"]', "version.mine.subsets"),
        ('subsets = ["train"]', 'subsets = ["a/b"]', "version.mine.subsets"),
        ('quoting = "minimal"', 'quoting = "always"', "version.mine.quoting"),
        ('quoting = "minimal"', 'quoting = "minimal"\ncolour = 1', "version.mine.colour"),
        ('name = "images.csv"', 'name = "a/images.csv"', "version.mine.image_list.name"),
        ('name = "images.csv"', 'name = "images.csv"\nbytes = true', "version.mine.image_list.bytes"),
        ('name = "images.csv"', 'name = "images.csv"\nbytes = 0', "version.mine.image_list.bytes"),
        ('name = "images.csv"', 'name = "images.csv"\nmd5 = "ABC"', "version.mine.image_list.md5"),
        ('url = "http:', 'url = "ftp:', "version.mine.image_list.url"),
        ("[version.mine]", "[version.mine]\nmetadata = 1", "version.mine.metadata"),
        ("[version.mine]", "[version.mine]\nmetadata = [1]", r"version.mine.metadata\[0\]"),
        ("[version.mine]", '[version."a/b"]\n[version.mine]', "version.a/b"),
        ('directory = "mine"', 'directory = "mine', "is not TOML"),
    ],
)
def test_what_is_wrong_in_a_catalogue_is_named_by_its_key(written: Path, published: str, wrong: str, key: str) -> None:
    written.write_text(MINE.replace(published, wrong))
    with pytest.raises(UsageError, match=key) as refused:
        read_catalogue(written)
    assert str(written) in refused.value.message
    assert refused.value.exit_code is ExitCode.USAGE


def test_two_archives_of_a_version_may_not_have_one_name(written: Path) -> None:
    written.write_text(MINE + '[[version.mine.metadata]]\nname = "images.csv"\nurl = "http://127.0.0.1/other"\n')
    with pytest.raises(UsageError, match="two archives of one name"):
        read_catalogue(written)


@pytest.mark.parametrize("content", [b"", b"[version]", b"version = 1", b"[[version.3]]", b"\xff\xfe", b"version = "])
def test_a_file_that_is_no_catalogue_is_refused(written: Path, content: bytes) -> None:
    written.write_bytes(content)
    with pytest.raises(UsageError, match=r"catalogue\.toml"):
        read_catalogue(written)


def test_a_catalogue_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_catalogue(tmp_path / "none.toml")
