"""A small published list with every oddity in it, and archives with the content that a test chooses."""

import gzip
import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HEADER = (
    "ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,"
    "Author,Title,OriginalSize,OriginalMD5,Thumbnail300KURL\n"
)
_AUTHORS_AND_TITLES = [
    '"Some One","Plain"',
    '"&gt;;&lt; &amp; co","Entities stay as they are &quot;"',
    '"Ten, Eleven","A title, with commas, and a ""quoted"" word"',
    '"""","""both ends"""',
    '"José Ångström","Парк 公園 🦊"',
    '"",""',
    '"back\\slash","C:\\temp\\n"',
    '" spaces "," around "',
    '"it\'s","tab\there; semi-colon|pipe"',
    '"two\nlines","one\r\nmore\u2028here"',
]
ROWS = [
    f"{number:015x}a,{('train', 'validation', 'test')[number % 3]},"
    f"https://farm{number % 8 + 1}.staticflickr.com/1/{number}_ab_o.jpg,"
    f"https://www.flickr.com/photos/one/{number},https://creativecommons.org/licenses/by/2.0/,"
    f"https://www.flickr.com/people/one/,{author_and_title},{100 + number},"
    f"1B2M2Y8AsgTpgAmY7PhCfg==,{'' if number == 4 else f'https://c1.staticflickr.com/1/{number}_cd_z.jpg?zz=1'}\n"
    for number, author_and_title in enumerate(_AUTHORS_AND_TITLES)
]
SUBSETS = frozenset({"train", "validation", "test"})


@pytest.fixture
def published_rows() -> list[str]:
    return list(ROWS)


@pytest.fixture
def published_list() -> str:
    return HEADER + "".join(ROWS)


@pytest.fixture
def subsets() -> frozenset[str]:
    return SUBSETS


@pytest.fixture
def sample_lists() -> Iterator[list[str]]:
    """The real lists of the sample, each as its text; skipped where the sample is not there."""
    sample = Path(__file__).parents[2].parent / "shared/sample-v3/test_images_2017_11.tar.gz"
    if not sample.exists():
        pytest.skip("the sample of real rows is not here")
    with tarfile.open(sample) as tar:
        yield [tar.extractfile(member).read().decode() for member in tar if member.name.endswith("images.csv")]


@pytest.fixture
def tar_gz() -> Callable[..., bytes]:
    """Makes a `.tar.gz` of texts by name, and of `TarInfo`s as they are."""

    def make(files: dict[str, str], *members: tarfile.TarInfo) -> bytes:
        return gzip.compress(_tar(files, *members))

    return make


@pytest.fixture
def plain_tar() -> Callable[..., bytes]:
    return _tar


def _tar(files: dict[str, str], *members: tarfile.TarInfo) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.mode = 0o4777  # which no file is to be given
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
        for member in members:
            tar.addfile(member)
    return packed.getvalue()
