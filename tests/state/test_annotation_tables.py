"""The tables of annotations: an index answers queries by class, and boxes follow the geometry of their file."""

import pytest
from builders import image

from oidl.state.connection import StateConnection

CAT = "/m/01yrx"


def _box(db: StateConnection, number: int, corners: tuple[float, float, float, float], *flags: int) -> None:
    db.execute(
        "INSERT INTO box (image_id, row_number, source, label_name, confidence, x_min, x_max, y_min, y_max, "
        "is_occluded, is_truncated, is_group_of, is_depiction, is_inside) "
        "VALUES (?, ?, 'xclick', ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (image(1).image_id, number, CAT, *corners, *(flags or (0, 0, 0, 0, 0))),
    )


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (
            "SELECT image_id FROM box WHERE label_name = (SELECT label_name FROM class WHERE display_name = 'Cat') "
            "AND is_occluded = 0 GROUP BY image_id HAVING count(*) >= 2",
            "box_by_class",
        ),
        ("SELECT image_id FROM label WHERE label_name = '/m/01yrx' AND confidence = 1", "label_by_class"),
        ("SELECT image_id FROM segmentation WHERE label_name = '/m/01yrx'", "segmentation_by_class"),
        ("SELECT image_id FROM relationship WHERE label_name1 = '/m/01yrx'", "relationship_by_class1"),
        ("SELECT image_id FROM relationship WHERE label_name2 = '/m/01yrx'", "relationship_by_class2"),
        ("SELECT image_id FROM point WHERE label = '/m/01yrx' AND estimated_yes_no = 'yes'", "point_by_class"),
    ],
)
def test_the_images_of_a_class_are_read_off_one_index(query: str, index: str, db: StateConnection) -> None:
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert any(f"USING COVERING INDEX {index}" in step for step in plan), plan
    assert not any(step.startswith("SCAN") or "TEMP B-TREE" in step for step in plan), plan


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, (0.1, 0.4, 0.2, 0.3)),
        (2, (0.6, 0.9, 0.2, 0.3)),
        (3, (0.6, 0.9, 0.7, 0.8)),
        (4, (0.1, 0.4, 0.7, 0.8)),
        (5, (0.2, 0.3, 0.1, 0.4)),
        (6, (0.7, 0.8, 0.1, 0.4)),
        (7, (0.7, 0.8, 0.6, 0.9)),
        (8, (0.2, 0.3, 0.6, 0.9)),
    ],
)
def test_a_box_turns_with_its_picture(
    orientation: int, expected: tuple[float, ...], loaded_db: StateConnection
) -> None:
    _box(loaded_db, 1, (0.1, 0.4, 0.2, 0.3))
    loaded_db.execute(
        "INSERT INTO file (image_id, rendition, path, bytes, width, height, written_at, orientation) "
        "VALUES (?, 'original', 'p.jpg', 1, 50, 50, '', ?), (?, 'not known how', 'q.jpg', 1, 50, 50, '', ?)",
        2 * (image(1).image_id, orientation),
    )
    (found,) = loaded_db.execute("SELECT x_min, x_max, y_min, y_max FROM file_box").fetchall()
    assert found == pytest.approx(expected)


def test_a_box_is_moved_and_cut_with_its_picture(loaded_db: StateConnection) -> None:
    _box(loaded_db, 1, (0.3, 0.5, 0.0, 1.0))
    _box(loaded_db, 2, (0.0, 0.2, 0.0, 1.0))  # on the part that was cut off
    loaded_db.execute(
        "INSERT INTO file (image_id, rendition, path, bytes, width, height, written_at, scaled_width, scaled_height, "
        "crop_left, crop_top) VALUES (?, 'r', 'p.jpg', 1, 100, 100, '', 200, 100, 80, 0)",
        (image(1).image_id,),
    )
    loaded_db.execute("INSERT INTO class (label_name, display_name) VALUES (?, 'Cat')", (CAT,))
    rows = loaded_db.execute("SELECT display_name, row_number, x_min, x_max, y_min, y_max, subset, path FROM file_box")
    assert rows.fetchall() == [("Cat", 1, 0.0, pytest.approx(0.2), 0.0, 1.0, "train", "p.jpg")]


def test_the_labels_of_a_file_have_their_names(loaded_db: StateConnection) -> None:
    loaded_db.execute(
        "INSERT INTO label (image_id, label_name, source, confidence) VALUES (?, ?, 'verification', 1)",
        (image(1).image_id, CAT),
    )
    loaded_db.execute(
        "INSERT INTO file (image_id, rendition, path, bytes, width, height, written_at) "
        "VALUES (?, 'r', 'p.jpg', 1, 50, 40, '')",
        (image(1).image_id,),
    )
    rows = loaded_db.execute("SELECT path, label_name, display_name, confidence FROM file_label").fetchall()
    assert rows == [("p.jpg", CAT, None, 1.0)]
