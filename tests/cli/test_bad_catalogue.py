"""Bad catalogues. Each gets one clear line, and nothing else changes."""

from pathlib import Path

import pytest
from refusals import assert_one_clear_line


def test_a_catalogue_that_does_not_exist(oidl, root: Path) -> None:
    ended = oidl("run", "--root-dir", root, "--catalogue=none.toml")
    assert ended.returncode == 2
    assert_one_clear_line(ended.stderr)
    assert "the catalogue none.toml cannot be read" in ended.stderr
    assert not root.exists()


@pytest.mark.parametrize(
    ("was", "becomes", "names"),
    [
        ("[version.3]", "[version.3", "is not TOML"),
        ('directory = "2017_11"', 'directory = "../x"', "directory must be the plain name"),
        ('name = "images_demo.tar.gz"', 'name = "/etc/x"', "name must be the plain name"),
        ('url = "http://', 'url = "ftp://', "url must be an http or https URL, or relative to the base_url"),
        ("title", "heading", "title is missing"),
    ],
)
def test_a_catalogue_that_makes_no_sense(was: str, becomes: str, names: str, fine, refused, root: Path) -> None:
    fine.catalogue.write_text(fine.catalogue.read_text().replace(was, becomes))
    refused(2, names=names)
    assert not root.exists()
