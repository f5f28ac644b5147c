"""The catalogue: the built-in one is complete, and another one is validated before use."""

from pathlib import Path

import pytest

from oidl.dataset.catalogue import built_in_mirrors, find_version, read_catalogue
from oidl.dataset.published import Mirror, PublishedFile, Version
from oidl.errors import ExitCode, UsageError
from oidl.model import CLASS_FILES, Extent, FileKind

MIRROR = """\
[mirror.mine]
url = "http://127.0.0.1/{subset}/{image_id}.jpg"
absent = [404]
mean_bytes = 5
max_bytes = 9

[version.mine]"""
MINE = """
[version.mine]
title = "My own"
directory = "mine"
subsets = ["train"]
files = [{ name = "images.csv", kind = "image-list", url = "http://127.0.0.1:8000/images.csv" }]
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "catalogue.toml"
    path.write_text(MINE)
    return path


@pytest.fixture(scope="module")
def v7() -> Version:
    return find_version(read_catalogue(None), None)


def test_the_built_in_catalogue_has_the_seven_versions_and_the_last_is_what_one_gets(v7: Version) -> None:
    catalogue = read_catalogue(None)
    assert {name: version.directory for name, version in catalogue.items()} == {
        "1": "images_2016_08",
        "2": "2017_07",
        "3": "2017_11",
        "4": "2018_04",
        "5": "v5",
        "6": "v6",
        "7": "v7",
    }
    assert catalogue["1"].subsets == ("train", "validation")
    assert all(version.subsets == ("train", "validation", "test") for name, version in catalogue.items() if name > "1")
    assert v7 is not catalogue["6"]
    assert v7.name == "7"


def test_every_archive_of_the_first_three_has_its_size_and_md5() -> None:
    for name in ("1", "2", "3"):
        for file in read_catalogue(None)[name].files:
            assert file.is_tar
            assert file.bytes
            assert file.md5
            assert file.url == f"https://storage.googleapis.com/openimages/{file.url.split('/')[-2]}/{file.name}"


def test_every_subset_of_the_later_ones_has_every_kind_that_its_version_has() -> None:
    for version in list(read_catalogue(None).values())[3:]:
        for kind in {file.kind for file in version.files if file.subset} - {FileKind.NARRATIVES}:
            for subset in version.subsets:
                assert version.find(kind, subset), f"V{version.name} {kind} {subset}"


@pytest.mark.parametrize(
    ("kind", "subset", "url", "place"),
    [
        (FileKind.BOXES, "train", "v6/oidv6-train-annotations-bbox.csv", "v7/train/oidv6-train-annotations-bbox.csv"),
        (FileKind.BOXES, "test", "v5/test-annotations-bbox.csv", "v7/test/test-annotations-bbox.csv"),
        (
            FileKind.POINTS,
            "validation",
            "v7/oidv7-val-annotations-point-labels.csv",
            "v7/validation/oidv7-val-annotations-point-labels.csv",
        ),
        (FileKind.CLASSES, None, "v7/oidv7-class-descriptions.csv", "v7/oidv7-class-descriptions.csv"),
        (FileKind.MASKS, "test", "v5/test-masks/test-masks-0.zip", "v7/test/test-masks-0.zip"),
    ],
)
def test_a_file_is_found_by_what_it_tells_and_so_is_its_place(
    kind: FileKind, subset: str | None, url: str, place: str, v7: Version
) -> None:
    file = v7.find(kind, subset)
    assert file
    assert file.url == f"https://storage.googleapis.com/openimages/{url}"
    assert str(v7.place(kind, subset)) == place


def test_what_is_in_an_archive_is_found_where_that_puts_it() -> None:
    v3 = read_catalogue(None)["3"]
    assert str(v3.place(FileKind.BOXES, "test")) == "2017_11/test/annotations-human-bbox.csv"
    assert str(v3.place(FileKind.CLASSES)) == "2017_11/class-descriptions.csv"
    assert v3.place(FileKind.POINTS, "test") is None


@pytest.mark.parametrize(
    ("extent", "train"),
    [
        (Extent.FULL, "image_ids_and_rotation.csv"),
        (Extent.BOXABLE, "train-images-boxable-with-rotation.csv"),
        (Extent.LABELS, "oidv6-train-images-with-labels-with-rotation.csv"),
    ],
)
def test_each_subset_is_read_from_the_smallest_list_that_has_it(extent: Extent, train: str, v7: Version) -> None:
    assert {file.name: subsets for file, subsets in v7.image_lists(extent, v7.subsets).items()} == {
        train: ("train",),
        "validation-images-with-rotation.csv": ("validation",),
        "test-images-with-rotation.csv": ("test",),
    }


def test_one_list_has_all_subsets_of_the_first_versions_and_there_is_no_other() -> None:
    v3 = read_catalogue(None)["3"]
    assert list(v3.image_lists(Extent.FULL, v3.subsets).values()) == [v3.subsets]
    with pytest.raises(UsageError, match="V3 has no boxable image list for train"):
        v3.image_lists(Extent.BOXABLE, v3.subsets)


def test_of_annotations_one_gets_the_chosen_subsets_and_nothing_huge(v7: Version) -> None:
    files = v7.annotations((), ("validation",))
    assert {file.subset for file in files} == {None, "validation"}
    kinds = {file.kind for file in files}
    assert {FileKind.BOXES, FileKind.LABELS, FileKind.POINTS, FileKind.HIERARCHY} <= kinds
    assert not kinds & {FileKind.MASKS, FileKind.MACHINE_LABELS, FileKind.NARRATIVES, FileKind.IMAGE_LIST}


def test_a_kind_that_is_named_comes_with_the_classes_alone(v7: Version) -> None:
    files = v7.annotations((FileKind.MASKS,), ("test",))
    assert [file.name for file in files if file.subset] == [f"test-masks-{shard}.zip" for shard in "0123456789abcdef"]
    assert {file.kind for file in files if not file.subset} == CLASS_FILES
    with pytest.raises(UsageError, match="V3 has no masks"):
        read_catalogue(None)["3"].annotations((FileKind.MASKS,), ("test",))


def test_of_every_file_the_size_is_known_but_for_points_and_transfer_lists() -> None:
    files = [file for version in read_catalogue(None).values() for file in version.files]
    assert {file.kind for file in files if not file.expected_bytes} == {FileKind.POINTS, FileKind.TRANSFER_LISTS}
    assert all(file.md5 or file.sha256 for file in files if file.bytes)
    assert not any(file.md5 or file.sha256 or file.bytes for file in files if file.approx_bytes)


def test_archives_of_masks_have_a_size_and_md5_each(v7: Version) -> None:
    masks = [file for file in v7.files if file.kind is FileKind.MASKS]
    totals = {subset: sum(file.bytes or 0 for file in masks if file.subset == subset) for subset in v7.subsets}
    assert totals == {"train": 4_472_439_320, "validation": 57_563_535, "test": 170_561_099}
    assert len({file.md5 for file in masks}) == 48


def test_images_can_be_counted_without_a_list() -> None:
    full = {"train": 9_011_219, "validation": 41_620, "test": 125_436}
    for name, version in read_catalogue(None).items():
        counts = version.image_counts(Extent.FULL, version.subsets)
        assert counts == (full if name > "1" else {"train": 9_011_219, "validation": 167_057})
        assert version.mean_original_bytes == 2_000_000
    assert version.image_counts(Extent.BOXABLE, ("train", "test")) == {"train": 1_743_042, "test": 125_436}


def test_what_is_published_of_a_file_is_filled_in_by_its_url(written: Path) -> None:
    facts = f'"images.csv" = {{ approx_bytes = 9, md5 = "{"0" * 32}", images = {{ train = 3 }} }}'
    text = MINE.replace("http://127.0.0.1:8000/images.csv", "images.csv")
    written.write_text(f'base_url = "http://127.0.0.1/"\nmean_original_bytes = 7\n[published]\n{facts}\n{text}')
    version = read_catalogue(written)["mine"]
    (file,) = version.files
    assert (file.bytes, file.approx_bytes, file.md5) == (None, 9, "0" * 32)
    assert version.image_counts(Extent.FULL, ("train",)) == {"train": 3}
    assert version.mean_original_bytes == 7


def test_a_plan_cannot_be_counted_by_a_catalogue_that_does_not_tell(written: Path) -> None:
    version = read_catalogue(written)["mine"]
    assert version.image_counts(Extent.FULL, ("train",)) == {"train": None}
    assert version.mean_original_bytes is None


def test_the_mirror_and_its_provider_are_in_the_catalogue(v7: Version) -> None:
    url = "https://open-images-dataset.s3.amazonaws.com/{subset}/{image_id}.jpg"
    assert v7.mirrors["cvdf"] == Mirror(url, frozenset((403, 404)), 300_000, 3_000_000)
    assert built_in_mirrors() == tuple(v7.mirrors)
    assert v7.providers["open-images-dataset.s3.amazonaws.com"] == "cvdf"


@pytest.mark.parametrize("name", ["3", "v3", "V3"])
def test_a_version_is_found_with_and_without_its_v(name: str) -> None:
    assert find_version(read_catalogue(None), name).name == "3"


def test_a_version_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(UsageError, match="'9'") as refused:
        find_version(read_catalogue(None), "9")
    assert refused.value.hint == "the catalogue has: 1, 2, 3, 4, 5, 6, 7"


def test_another_catalogue_may_leave_out_sizes_md5s_and_annotations(written: Path) -> None:
    version = read_catalogue(written)["mine"]
    assert version.files == (PublishedFile("images.csv", "http://127.0.0.1:8000/images.csv"),)
    assert version.mirrors == {}


def test_a_mirror_of_ones_own_is_a_table_and_nothing_else(written: Path) -> None:
    written.write_text(MINE.replace("[version.mine]", MIRROR))
    (mirror,) = read_catalogue(written)["mine"].mirrors.items()
    assert mirror == ("mine", Mirror("http://127.0.0.1/{subset}/{image_id}.jpg", frozenset((404,)), 5, 9))
    assert mirror[1].url_of("train", "1") == "http://127.0.0.1/train/1.jpg"


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
        ('directory = "mine"', 'directory = "mine"\ncolour = 1', "version.mine.colour"),
        ('name = "images.csv"', 'name = "a/images.csv"', r"version.mine.files\[0\].name"),
        ('name = "images.csv"', 'name = "images.csv", bytes = true', r"version.mine.files\[0\].bytes"),
        ('name = "images.csv"', 'name = "images.csv", bytes = 0', r"version.mine.files\[0\].bytes"),
        ('name = "images.csv"', 'name = "images.csv", md5 = "ABC"', r"version.mine.files\[0\].md5"),
        ('name = "images.csv"', 'name = "images.csv", sha256 = "ABC"', r"version.mine.files\[0\].sha256"),
        ('name = "images.csv"', 'name = "images.csv", subset = "test"', r"version.mine.files\[0\].subset"),
        ('name = "images.csv"', 'name = "images.csv", extent = "some"', r"version.mine.files\[0\].extent"),
        ('name = "images.csv"', 'name = "images.csv", member = "../x"', r"version.mine.files\[0\].member"),
        ('name = "images.csv"', 'name = "images.csv", optional = 1', r"version.mine.files\[0\].optional"),
        ('name = "images.csv"', 'name = "images.csv", colour = 1', r"version.mine.files\[0\].colour"),
        ('name = "images.csv"', 'name = "images.csv", images = 3', r"version.mine.files\[0\].images"),
        ('name = "images.csv"', 'name = "images.csv", images = {train = 0}', r"version.mine.files\[0\].images.train"),
        ("[version.mine]", '[published]\n"x.csv" = { size = 1 }\n[version.mine]', "published.x.csv.size"),
        ("[version.mine]", "mean_original_bytes = 0\n[version.mine]", "mean_original_bytes"),
        ('kind = "image-list"', 'kind = "list"', r"version.mine.files\[0\].kind"),
        ('kind = "image-list"', 'kind = "boxes"', "version.mine has no image list"),
        ("[version.mine]", '[mirror]\nmine = "http://127.0.0.1/{image_id}"\n[version.mine]', "mirror.mine is not"),
        ("[version.mine]", MIRROR.replace("{image_id}", "x"), "mirror.mine.url"),
        ("[version.mine]", MIRROR.replace("url", "uri"), "mirror.mine.url is missing"),
        ("[version.mine]", MIRROR.replace("[404]", "404"), "mirror.mine.absent"),
        ("[version.mine]", MIRROR.replace("[404]", "[0]"), "mirror.mine.absent"),
        ("[version.mine]", MIRROR.replace("5", "0"), "mirror.mine.mean_bytes"),
        ("[version.mine]", MIRROR.replace("9", "-9"), "mirror.mine.max_bytes"),
        ("[version.mine]", MIRROR.replace("max_bytes", "most = 1\nmax_bytes"), "mirror.mine.most"),
        ("[version.mine]", MIRROR.replace(".mine]\nurl", ".Mine]\nurl"), "mirror.Mine must be"),
        ("[version.mine]", MIRROR.replace(".mine]\nurl", ".local]\nurl"), "mirror.local must be"),
        ('url = "http:', 'url = "ftp:', r"version.mine.files\[0\].url"),
        ("files = [{", "files = 1\nx = [{", "version.mine.files"),
        ("files = [{", "files = [1, {", r"version.mine.files\[0\]"),
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


def test_two_files_of_a_version_may_not_have_one_name(written: Path) -> None:
    other = '{ kind = "boxes", url = "http://127.0.0.1/other/images.csv" }'
    written.write_text(MINE.replace('csv" }]', f'csv" }}, {other}]'))
    with pytest.raises(UsageError, match="two files with the same name"):
        read_catalogue(written)


def test_what_has_no_scheme_follows_the_base_url_and_shards_are_a_file_each(written: Path) -> None:
    more = '{ kind = "masks", url = "a/m-{shard}.zip", shards = "0f", optional = true }'
    text = MINE.replace("http://127.0.0.1:8000/images.csv", "images.csv").replace('csv" }]', f'csv" }}, {more}]')
    written.write_text(f'base_url = "http://127.0.0.1/"\n{text}')
    assert [(file.name, file.url) for file in read_catalogue(written)["mine"].files] == [
        ("images.csv", "http://127.0.0.1/images.csv"),
        ("m-0.zip", "http://127.0.0.1/a/m-0.zip"),
        ("m-f.zip", "http://127.0.0.1/a/m-f.zip"),
    ]
    written.write_text(text)
    with pytest.raises(UsageError, match="or relative to the base_url"):
        read_catalogue(written)


@pytest.mark.parametrize("content", [b"", b"[version]", b"version = 1", b"[[version.3]]", b"\xff\xfe", b"version = "])
def test_a_file_that_is_no_catalogue_is_refused(written: Path, content: bytes) -> None:
    written.write_bytes(content)
    with pytest.raises(UsageError, match=r"catalogue\.toml"):
        read_catalogue(written)


def test_a_catalogue_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_catalogue(tmp_path / "none.toml")
