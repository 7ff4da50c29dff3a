import pytest

from tests.storage.database.notes import OURS, first
from trchat.storage.database import open_database


@pytest.fixture
def file(tmp_path):
    return tmp_path / "data" / "notes.db"


@pytest.fixture
def opened(file, warnings):
    """Open the file again and again, and close all of it at the end."""
    databases = []

    def opened(migrations=(first,), path=file):
        databases.append(open_database(path, migrations, OURS, warnings.append))
        return databases[-1]

    yield opened
    for database in databases:
        database.close()
