"""A model is known by what is in its file, not by where it lies; and quickly."""

import pytest

from tests.gguf_files import write_gguf, write_split
from trchat.catalog.fingerprint import fingerprint
from trchat.errors import ModelError
from trchat.model_store import identity_of


def test_a_moved_and_renamed_file_is_the_same_model(tmp_path):
    path = write_gguf(tmp_path / "one.gguf")
    before = identity_of(path)
    moved = path.rename(tmp_path / "two.gguf")
    assert identity_of(moved) == before
    assert before.vocabulary == 8 and before.name == "Tiny" and before.quantisation == "F16"


def test_other_weights_are_another_model_of_the_same_family(tmp_path):
    path = write_gguf(tmp_path / "one.gguf")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    other = tmp_path / "other.gguf"
    other.write_bytes(data)
    one, two = identity_of(path), identity_of(other)
    assert one.weights != two.weights
    assert one.family == two.family
    assert one.file_name != two.file_name


@pytest.mark.parametrize(
    "change",
    [
        {"vocabulary": 9},
        {"name": "Other"},
        {"arch": "qwen2"},
        {"add": lambda writer: writer.add_token_merges(["t h", "th e"])},
    ],
)
def test_another_vocabulary_name_or_architecture_is_another_family(tmp_path, change):
    one = identity_of(write_gguf(tmp_path / "one.gguf"))
    other = identity_of(write_gguf(tmp_path / "other.gguf", **change))
    assert one.family != other.family


def test_the_chat_template_is_no_part_of_the_family(tmp_path):
    one = identity_of(write_gguf(tmp_path / "one.gguf"))
    other = identity_of(write_gguf(tmp_path / "other.gguf", template="{{ messages }}"))
    assert one.family == other.family and one.weights != other.weights


def test_all_parts_of_a_split_model_count(tmp_path):
    paths = write_split(tmp_path, "split")
    before = fingerprint(paths[0])
    data = bytearray(paths[2].read_bytes())
    data[-1] ^= 1
    paths[2].write_bytes(data)
    after = fingerprint(paths[0])
    assert before.weights != after.weights and before.tokenizer == after.tokenizer


def test_of_a_large_file_little_is_read(tmp_path, monkeypatch):
    """10 GB with a hole instead of weights; what is read is counted, since time depends on the machine."""
    from trchat.catalog import fingerprint as module

    path = write_gguf(tmp_path / "large.gguf")
    with path.open("r+b") as file:
        file.truncate(10_000_000_000)
    read = 0
    real = module._hash_span

    def counted(digest, file, start, end):
        nonlocal read
        read += end - start
        real(digest, file, start, end)

    monkeypatch.setattr(module, "_hash_span", counted)
    assert fingerprint(path).weights
    assert read + module.SAMPLES * module.SAMPLE_BYTES < 1_000_000


def test_what_is_no_model_is_said_in_one_line(tmp_path):
    path = tmp_path / "text.gguf"
    path.write_text("this is not a model")
    with pytest.raises(ModelError) as error:
        fingerprint(path)
    assert "text.gguf" in str(error.value) and "\n" not in str(error.value)
