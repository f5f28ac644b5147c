"""Which annotations count for a selection, and whether it has any."""

import pytest
from builders import image

from oidl.errors import UsageError
from oidl.model import LabelType
from oidl.state.annotation_filters import ANNOTATION_TABLES, require_annotations
from oidl.state.connection import StateConnection


def test_every_type_of_annotation_has_its_evidence() -> None:
    assert set(ANNOTATION_TABLES) == set(LabelType)


def test_what_there_is_nothing_of_is_said(loaded_db: StateConnection) -> None:
    loaded_db.execute(
        "INSERT INTO label (image_id, label_name, source, confidence) VALUES (?, '/m/0cat', 'verification', 1)",
        (image(1).image_id,),
    )
    require_annotations(loaded_db, [LabelType.LABELS])
    with pytest.raises(UsageError, match="there are no points in the database"):
        require_annotations(loaded_db, [LabelType.LABELS, LabelType.POINTS])
