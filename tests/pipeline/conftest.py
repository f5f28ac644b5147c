"""A state database with a run in it."""

import pytest
from builders import THUMB

from oidl.state.connection import StateConnection
from oidl.state.ledger import Ledger


@pytest.fixture
def ledger(loaded_db: StateConnection) -> Ledger:
    """The ledger of run 1 on `loaded_db`."""
    ledger = Ledger(loaded_db)
    ledger.register([THUMB])
    ledger.open_run({})
    return ledger
