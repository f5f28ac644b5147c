"""Folders of images as Hugging Face `datasets` and torchvision read them, and `croissant.json` as mlcroissant does."""

import os
import tempfile
from pathlib import Path

from bench.readers.check import Facts
from bench.readers.tally import Tally


def hugging_face(home: Path) -> Facts:
    """`load_dataset("imagefolder")`: images, boxes, licences and authors."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ |= {"HF_HOME": cache, "HF_DATASETS_OFFLINE": "1"}
        from datasets import load_dataset

        tally = Tally()
        licences, authors = set(), set()
        for split in load_dataset("imagefolder", data_dir=str(home), cache_dir=cache).values():
            for each in split:
                if each["image"].size != (each["width"], each["height"]):
                    raise ValueError(f"{each['image_id']} is {each['image'].size}")
                found = zip(each["objects"]["categories"], each["objects"]["bbox"], strict=True)
                tally.image((name, *box[2:]) for name, box in found)
                licences.add(each["license"])
                authors.add(each["author"])
    return {**tally.facts(), "licences": len(licences), "authors": len(authors)}


def torchvision_folders(home: Path) -> Facts:
    """`ImageFolder`, whose classes are the folders: the splits, not the three-character directories."""
    from torchvision.datasets import ImageFolder

    found = ImageFolder(home)
    return {"images": sum(picture.size > (0, 0) for picture, _ in found), "folders": len(found.classes)}


def croissant(home: Path) -> Facts:
    """The records of `images`, each with its image and its licence."""
    import mlcroissant

    described = mlcroissant.Dataset(jsonld=home / "croissant.json")
    images = 0
    licences, authors = set(), set()
    for each in described.records("images"):
        images += each["images/image"].size > (0, 0)
        licences.add(each["images/license"])
        authors.add(each["images/author"])
    return {"images": images, "licences": len(licences), "authors": len(authors)}
