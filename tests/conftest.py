import pytest


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Every test has a home of its own, so that none reads or writes the user's."""
    folder = tmp_path / "home"
    monkeypatch.setenv("TRCHAT_HOME", str(folder))
    return folder
