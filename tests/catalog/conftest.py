import pytest

from tests.other_programs import hide_other_programs


@pytest.fixture(autouse=True)
def nothing_elsewhere(monkeypatch, tmp_path):
    hide_other_programs(monkeypatch, tmp_path)
