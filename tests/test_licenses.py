"""Licences are compared by URL or number, never by name."""

import pytest

from oidl.model import LicenseClass, license_of_id, license_of_url
from oidl.model.licenses import LICENSES, license_key


@pytest.mark.parametrize(
    ("url", "number"),
    [
        ("https://creativecommons.org/licenses/by/2.0/", 4),
        ("http://creativecommons.org/licenses/by/2.0", 4),
        ("HTTPS://www.CreativeCommons.org/licenses/by/2.0/", 4),
        ("https://creativecommons.org/licenses/by/2.0/deed.en", 4),
        ("https://creativecommons.org/licenses/by-sa/2.0/", 5),
        ("https://creativecommons.org/licenses/by/4.0/", 11),
        ("https://creativecommons.org/publicdomain/zero/1.0/", 9),
        ("http://www.usa.gov/copyright.shtml", 8),
        ("https://www.flickr.com/commons/usage/", 7),
        ("https://creativecommons.org/licenses/by/3.0/", None),
        ("https://creativecommons.org/licenses/BY/2.0/", None),  # paths have a case
        ("https://example.org/licenses/by/2.0/", None),
        ("https://[", None),
        ("", None),
    ],
)
def test_a_licence_is_known_by_its_url(url: str, number: int | None) -> None:
    found = license_of_url(url)
    assert (found.id if found else None) == number


def test_every_number_has_one_url_and_a_class() -> None:
    assert [each.id for each in LICENSES] == list(range(17))
    assert len({license_key(each.url) for each in LICENSES}) == 17
    classes = {kind: [each.id for each in LICENSES if each.license_class is kind] for kind in LicenseClass}
    assert classes == {
        LicenseClass.FREE: [4, 5, 7, 8, 9, 10, 11, 12],
        LicenseClass.NC: [1, 2, 3, 14, 15, 16],
        LicenseClass.ND: [6, 13],
        LicenseClass.RESERVED: [0],
    }
    assert license_of_id(17) is None
