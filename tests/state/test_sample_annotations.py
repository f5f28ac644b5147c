"""The annotations of samples: published sides, display names, and nothing that is unknown."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from labelled import put_box

from oidl.model.sample import SampleBox, SampleLabel
from oidl.state.connection import StateConnection
from oidl.state.database import connect_writer
from oidl.state.sample_annotations import SampleAnnotations


@pytest.fixture
def labelled_db(tmp_path: Path) -> Iterator[StateConnection]:
    with closing(connect_writer(tmp_path / "oidl.sqlite3")) as db:
        db.execute("INSERT INTO class (label_name, display_name) VALUES ('/m/cat', 'Cat')")
        yield db


def test_boxes_and_labels_have_names_but_no_numbers(labelled_db: StateConnection) -> None:
    put_box(labelled_db, "00", 1, "/m/cat", (0.1, 0.2, 0.3, 0.4), is_occluded=1)
    put_box(labelled_db, "00", 2, "/m/unnamed", (0.0, 1.0, 0.0, 1.0))
    labelled_db.execute("INSERT INTO label (image_id, label_name, source, confidence) VALUES ('01', '/m/cat', 'x', 0)")
    annotations = SampleAnnotations(labelled_db).of(["00", "01", "02"])
    assert annotations == {
        "00": (
            (
                SampleBox(-1, "/m/cat", "Cat", 0.1, 0.2, 0.3, 0.4, is_occluded=1),
                SampleBox(-1, "/m/unnamed", "/m/unnamed", 0.0, 1.0, 0.0, 1.0),
            ),
            (),
        ),
        "01": ((), (SampleLabel(-1, "/m/cat", "Cat", 0.0),)),
    }


def test_a_class_that_is_loaded_later_has_its_name(labelled_db: StateConnection) -> None:
    reader = SampleAnnotations(labelled_db)
    put_box(labelled_db, "00", 1, "/m/dog", (0.1, 0.2, 0.3, 0.4))
    assert reader.of(["00"])["00"][0][0].name == "/m/dog"
    labelled_db.execute("INSERT INTO class (label_name, display_name) VALUES ('/m/dog', 'Dog')")
    put_box(labelled_db, "01", 1, "/m/owl", (0.1, 0.2, 0.3, 0.4))
    assert reader.of(["01"])["01"][0][0].name == "/m/owl"  # another unknown name, so the classes are read again
    assert reader.of(["00"])["00"][0][0].name == "Dog"
