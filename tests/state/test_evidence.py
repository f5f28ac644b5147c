"""Which annotations count for a choice, and whether there are any to choose by."""

import pytest
from conftest import image

from oidl.errors import UsageError
from oidl.model import LabelType
from oidl.state.connection import StateConnection
from oidl.state.evidence import EVIDENCE, check_annotated


def test_every_type_of_annotation_has_its_evidence() -> None:
    assert set(EVIDENCE) == set(LabelType)


def test_what_there_is_nothing_of_is_said(loaded_db: StateConnection) -> None:
    loaded_db.execute(
        "INSERT INTO label (image_id, label_name, source, confidence) VALUES (?, '/m/0cat', 'verification', 1)",
        (image(1).image_id,),
    )
    check_annotated(loaded_db, [LabelType.LABELS])
    with pytest.raises(UsageError, match="there are no points in the database"):
        check_annotated(loaded_db, [LabelType.LABELS, LabelType.POINTS])
