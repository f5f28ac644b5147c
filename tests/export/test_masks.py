"""The box of each mask, as the published lists imply it: by class and sides."""

import random

from oidl.export.masks import box_of, pair
from oidl.state.annotation_rows import Segmentation
from oidl.state.file_annotations import Box

CAT, DOG = "/m/01yrx", "/m/0bt9lr"
Sides = tuple[float, float, float, float]


def box(*sides: float, label_name: str = CAT) -> Box:
    return Box("1", label_name, "xclick", 1.0, *sides, 0, 0, 0, 0, 0)


def mask(*sides: float, label_name: str = CAT, name: str = "m.png") -> Segmentation:
    return Segmentation("1", name, label_name, *sides)


def test_a_mask_belongs_to_the_box_with_its_sides_however_they_are_rounded() -> None:
    boxes = [box(0.022673031, 0.9642005, 0.07103825, 0.80054647), box(0.1, 0.2, 0.3, 0.4)]
    masks = [mask(0.1, 0.2, 0.3, 0.4), mask(0.022673, 0.964201, 0.071038, 0.800546)]
    assert pair(boxes, masks) == ({0: masks[1], 1: masks[0]}, [])


def test_a_mask_of_another_class_or_place_belongs_to_no_box() -> None:
    masks = [mask(0.1, 0.2, 0.3, 0.4, label_name=DOG), mask(0.1, 0.2, 0.3, 0.41)]
    assert pair([box(0.1, 0.2, 0.3, 0.4)], masks) == ({}, masks)
    assert pair([], masks) == ({}, masks)
    assert pair([box(0.1, 0.2, 0.3, 0.4)], []) == ({}, [])


def test_boxes_that_nearly_coincide_get_the_mask_that_is_nearest() -> None:
    boxes = [box(0.1004, 0.2, 0.3, 0.4), box(0.1, 0.2, 0.3, 0.4)]
    masks = [mask(0.1, 0.2, 0.3, 0.4), mask(0.1003, 0.2, 0.3, 0.4)]
    assert pair(boxes, masks) == ({0: masks[1], 1: masks[0]}, [])
    assert pair(boxes, [*masks, masks[0]]) == ({0: masks[1], 1: masks[0]}, [masks[0]])


def test_every_mask_is_of_one_box_or_of_none() -> None:
    rng = random.Random(1)
    for _ in range(200):
        sides = [tuple(rng.choice((0.1, 0.1004, 0.5)) for _ in range(4)) for _ in range(8)]
        boxes = [box(*each, label_name=rng.choice((CAT, DOG))) for each in sides[:4]]
        masks = [mask(*each, label_name=rng.choice((CAT, DOG)), name=f"{n}.png") for n, each in enumerate(sides[4:])]
        of_box, others = pair(boxes, masks)
        assert sorted([*of_box.values(), *others]) == sorted(masks)
        assert all(boxes[at].label_name == found.label_name for at, found in of_box.items())


def test_the_box_of_a_mask_has_its_sides_and_no_attributes() -> None:
    found = box_of(mask(0.1, 0.2, 0.3, 0.4))
    assert (found.label_name, found.x_min, found.x_max, found.y_min, found.y_max) == (CAT, 0.1, 0.2, 0.3, 0.4)
    assert (found.is_group_of, found.is_truncated) == (None, None)
