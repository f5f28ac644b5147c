"""The splits of an export: by subset, or by shares that are drawn for each image independently."""

from collections import Counter

import pytest

from oidl.errors import UsageError
from oidl.export.split import Split, parse_split
from oidl.state.selection import _shuffle_key

IDS = [f"{number:016x}" for number in range(10_000)]


def test_without_shares_subsets_are_the_splits() -> None:
    split = parse_split("Subset", 3)
    assert split == Split()
    assert split.names(["challenge", "test", "train", "validation"]) == ("train", "validation", "test", "challenge")
    assert split.of(IDS[0], "test") == "test"


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("80/10/10", {"train": 0.8, "validation": 0.1, "test": 0.1}),
        ("70/30", {"train": 0.7, "validation": 0.3}),
        ("90/0/10", {"train": 0.9, "test": 0.1}),
        ("100/0", {"train": 1}),
    ],
)
def test_shares_are_those_asked_for(text: str, shares: dict[str, float]) -> None:
    split = parse_split(text)
    assert split.names(["validation"]) == tuple(shares)
    counts = Counter(split.of(image_id, "validation") for image_id in IDS)
    assert {name: count / len(IDS) for name, count in counts.items()} == pytest.approx(shares, abs=0.015)


def test_the_split_of_an_image_depends_on_the_seed_and_its_id_alone() -> None:
    one, same, other = (parse_split("50/50", seed) for seed in (1, 1, 2))
    assert [one.of(image_id, "train") for image_id in IDS] == [same.of(image_id, "test") for image_id in IDS]
    assert 0.4 < sum(one.of(image_id, "") == other.of(image_id, "") for image_id in IDS) / len(IDS) < 0.6


def test_the_first_images_of_a_shuffle_are_divided_like_all_others() -> None:
    key = _shuffle_key(0)
    first = sorted(IDS, key=key)[:1000]
    counts = Counter(parse_split("50/50").of(image_id, "") for image_id in first)
    assert counts["train"] == pytest.approx(500, abs=60)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("80", "this is not a split"),
        ("80/20/", "this is not a split"),
        ("a/b", "this is not a split"),
        ("8٠/20", "this is not a split"),
        ("-80/180", "this is not a split"),
        ("40/30/20/10", "this is not a split"),
        ("80/30", "the percentages add up to 110, not 100"),
        ("0/0/0", "the percentages add up to 0, not 100"),
    ],
)
def test_what_is_no_split_is_refused(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_split(text)
