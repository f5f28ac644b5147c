"""A worker whose libraries would make other bytes is refused by the name of what differs."""

import pytest

from oidl.cluster.versions import difference, versions


def test_the_same_versions_are_no_difference() -> None:
    assert difference(versions(), versions()) is None


@pytest.mark.parametrize("name", sorted(versions()))
def test_another_version_is_named(name: str) -> None:
    problem = difference(versions() | {name: "0.0.1"}, versions())
    assert problem
    assert problem.startswith(f"it has {name} 0.0.1, and this is {versions()[name]};")


def test_one_that_is_missing_is_named() -> None:
    theirs = {name: version for name, version in versions().items() if name != "libvips"}
    assert (difference(theirs, versions()) or "").startswith("it has libvips none")
