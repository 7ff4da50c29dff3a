import pytest

from tests.other_programs import hide_demo


@pytest.fixture(autouse=True)
def nothing_elsewhere(monkeypatch):
    hide_demo(monkeypatch)
