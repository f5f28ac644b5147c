"""What describes a pack to people and to catalogues of data sets: `README.md`, a dataset card, and `croissant.json`.

The card's front matter is YAML as the Hugging Face Hub reads it; `datasets` takes the files of each split from there.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from oidl.export.attribution import ATTRIBUTION
from oidl.export.croissant import (
    ANNOTATIONS_LICENSE,
    CITATION,
    attribution_fields,
    described_dataset,
    described_file,
)
from oidl.export.pack.context import PackContext
from oidl.model import LabelType
from oidl.model.sample import ANNOTATIONS, FACTS
from oidl.progress.format import size
from oidl.state.pack import ShardRow
from oidl.text import counted

_CC_BY = "https://creativecommons.org/licenses/by/2.0/"
_SHARDS = "shards"
_TASKS = {
    LabelType.BOXES: "object-detection",
    LabelType.LABELS: "image-classification",
    LabelType.SEGMENTATIONS: "image-segmentation",
}


@dataclass(frozen=True, slots=True)
class CardFacts:
    """The published licences of the images, whether there are annotations, and what checks of the licences found.

    `verdicts` counts the images by verdict, "" for those without a check; `checked` are the first and the last time.
    """

    licenses: frozenset[str]
    has_annotations: bool
    verdicts: Mapping[str, int] = field(default_factory=dict)
    checked: tuple[str, str] = ("", "")


def card(context: PackContext, shards: Sequence[ShardRow], facts: CardFacts) -> str:
    """The text of `README.md`."""
    splits = list(dict.fromkeys(shard.split for shard in shards))
    title = f"{context.title}, {context.rendition.name}"
    lines = [
        "---",
        f"pretty_name: {title}",
        *_license(facts.licenses),
        *_list("task_categories", [_TASKS[kind] for kind in context.kinds]),
        *_list("size_categories", [_size_category(sum(shard.samples for shard in shards))]),
        *(_configs(context, shards, splits) if context.request.format.is_read_by_datasets else ()),
    ]
    lines += ["---", "", f"# {title}", "", _about(context, facts), ""]
    for split in splits:
        of_split = [shard for shard in shards if shard.split == split]
        images, total = sum(each.samples for each in of_split), sum(each.bytes for each in of_split)
        lines.append(f"- `{split}`: {counted(images, 'image')} in {counted(len(of_split), 'shard')}, {size(total)}")
    lines += ["", "## Citation", "", "```bibtex", CITATION, "```"]
    return "\n".join(lines) + "\n"


def croissant(context: PackContext, shards: Sequence[ShardRow], facts: CardFacts) -> str:
    """The text of `croissant.json`. Raises `OSError` if `ATTRIBUTION.csv` cannot be read."""
    path = context.dest / ATTRIBUTION
    with open(path, "rb") as file:
        attribution = described_file(ATTRIBUTION, path.stat().st_size, file_digest(file, "sha256").hexdigest())
    files = [described_file(Path(each.path).name, each.bytes, each.sha256 or "") for each in shards]
    records = {
        "@type": "cr:RecordSet",
        "@id": "images",
        "name": "images",
        "key": {"@id": "images/image_id"},
        "field": attribution_fields(),
    }
    return described_dataset(
        f"{context.title}, {context.rendition.name}, {context.request.format.name}",
        _about(context, facts),
        context.version,
        facts.licenses | ({ANNOTATIONS_LICENSE} if facts.has_annotations else set()),
        [attribution, *files, *([_table(context)] if context.request.format.is_table else [])],
        [records, *([_samples()] if context.request.format.is_table else [])],
    )


def _table(context: PackContext) -> dict[str, Any]:
    suffix = context.request.format.suffix
    return {
        "@type": "cr:FileSet",
        "@id": _SHARDS,
        "name": _SHARDS,
        "includes": f"*.{suffix}",
        "encodingFormat": f"application/x-{suffix}",
    }


def _samples() -> dict[str, Any]:
    """The record set of shards with columns: the image, and what is known about it."""

    def field(name: str, kind: str, **more: Any) -> dict[str, Any]:
        source = {"fileSet": {"@id": _SHARDS}, "extract": {"column": name}, **more}
        return {"@type": "cr:Field", "@id": f"samples/{name}", "name": name, "dataType": kind, "source": source}

    facts = [field(name, "sc:Integer" if kind is int else "sc:Text") for name, kind in FACTS if name != ANNOTATIONS]
    return {
        "@type": "cr:RecordSet",
        "@id": "samples",
        "name": "samples",
        "key": {"@id": "samples/image_id"},
        "field": [field("image", "sc:ImageObject", transform={"jsonPath": "bytes"}), *facts],
    }


def _about(context: PackContext, facts: CardFacts) -> str:
    kinds = f", with their {' and '.join(context.kinds)}" if context.kinds else ""
    about = (
        f"Images of {context.title}, rendition {context.rendition.name}{kinds}, packed by oidl as "
        f"{context.request.format.name}. Every sample has the author and the licence of its image, and so has "
        f"{ATTRIBUTION}."
    )
    about += f" {_checks(facts)}" if any(facts.verdicts) else ""
    return f"{about} The annotations are licensed by Google LLC under {ANNOTATIONS_LICENSE}." if kinds else about


def _checks(facts: CardFacts) -> str:
    """What checks of the licences found, and when."""
    found = ", ".join(f"{images:,} {verdict}" for verdict, images in sorted(facts.verdicts.items()) if verdict)
    images, checked = sum(facts.verdicts.values()), sum(images for word, images in facts.verdicts.items() if word)
    first, last = (moment[:10] for moment in facts.checked)
    when = f"on {first}" if first == last else f"between {first} and {last}"
    return (
        f"The licences of {checked:,} of {counted(images, 'image')} were checked {when}: {found}. Every sample has "
        "`license_verdict`, `license_now` and `license_checked`."
    )


def _configs(context: PackContext, shards: Sequence[ShardRow], splits: Sequence[str]) -> Iterator[str]:
    """The files of each split, and how much there is.

    `datasets` tells one data set from another in its cache by this text and the name of the directory.
    """
    yield from ("configs:", "- config_name: default", "  data_files:")
    for split in splits:
        yield from (f"  - split: {split}", f'    path: "{context.request.format.pattern(split)}"')
    yield from ("dataset_info:", "  config_name: default", "  splits:")
    for split in splits:
        of_split = [shard for shard in shards if shard.split == split]
        yield from (
            f"  - name: {split}",
            f"    num_bytes: {sum(shard.bytes for shard in of_split)}",
            f"    num_examples: {sum(shard.samples for shard in of_split)}",
        )
    digest = sha256("".join(shard.sha256 or "" for shard in shards).encode()).hexdigest()
    total = sum(shard.bytes for shard in shards)
    yield from (f"  download_size: {total}", f"  dataset_size: {total}", f"oidl_shards_sha256: {digest}")


def _license(licenses: Collection[str]) -> Iterator[str]:
    if set(licenses) == {_CC_BY}:
        yield "license: cc-by-2.0"
        return
    yield "license: other"
    yield f"license_name: see {ATTRIBUTION}"


def _list(name: str, values: Sequence[Any]) -> Iterator[str]:
    if values:
        yield f"{name}:"
        yield from (f"- {value}" for value in values)


def _size_category(images: int) -> str:
    """As the Hub names them: `n<1K`, `1K<n<10K` and so on."""
    names = ("1K", "10K", "100K", "1M", "10M", "100M")
    limits = (10**3, 10**4, 10**5, 10**6, 10**7, 10**8)
    at = next(number for number, limit in enumerate(limits) if images < limit)
    return f"n<{names[0]}" if at == 0 else f"{names[at - 1]}<n<{names[at]}"
