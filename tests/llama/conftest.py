import pytest

from tests.tiny_gguf import make


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """``tiny("gemma2")``: the path of a tiny model of that architecture."""
    folder = tmp_path_factory.mktemp("tiny")

    def path(arch="llama", **kwargs):
        file = folder / f"{arch}-{abs(hash(tuple(sorted(kwargs.items()))))}.gguf"
        return file if file.exists() else make(file, arch, **kwargs)

    return path
