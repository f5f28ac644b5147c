"""One failure per line, for people and as JSON. Pure."""

import json
from dataclasses import asdict

from oidl.state.outcome_rows import FailedImage
from oidl.text import printable


def failure_line(failed: FailedImage) -> str:
    """Subset, ImageID, reason, detail and URL, separated by tabs; no field contains one."""
    fields = (failed.subset, failed.image_id, failed.reason, failed.detail or "", failed.url)
    return "\t".join(printable(" ".join(field.split())) for field in fields)


def failure_json(failed: FailedImage) -> str:
    """One JSON object on one line; its keys are the column names."""
    return json.dumps(asdict(failed))
