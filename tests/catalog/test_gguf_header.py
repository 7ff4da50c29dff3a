"""Headers of sound files are read as they were written; damaged ones are one clear error."""

import random
import struct
from pathlib import Path

import pytest

from tests.gguf_files import write_gguf
from trchat.catalog.gguf_header import Array, read_header
from trchat.catalog.gguf_types import TENSOR_TYPES
from trchat.errors import ModelError


def text(value):
    return struct.pack("<Q", len(value)) + value


def string_key(key, value):
    return text(key) + struct.pack("<I", 8) + text(value)


def raw(path, keys=(), tensors=(), version=3, counts=None, tail=b""):
    tensor_count, key_count = counts or (len(tensors), len(keys))
    head = b"GGUF" + struct.pack("<IQQ", version, tensor_count, key_count)
    path.write_bytes(head + b"".join(keys) + b"".join(tensors) + tail)
    return path


def tensor(name=b"t", shape=(32,), kind=0, offset=0):
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def refused(path):
    with pytest.raises(ModelError) as caught:
        read_header(path)
    message = str(caught.value)
    assert "\n" not in message and message.startswith(str(path))
    return message.removeprefix(str(path))


def test_reads_what_the_gguf_package_wrote(tmp_path):
    def add(writer):
        writer.add_bool("a.flag", True)
        writer.add_float64("a.ratio", 0.1)
        writer.add_int64("a.small", -(2**40))
        writer.add_array("a.words", ["eins", "zwei", "größer"])
        writer.add_array("a.heads", [0, 8, 0, 8])

    header = read_header(write_gguf(tmp_path / "tiny.gguf", vocabulary=5000, add=add))
    assert header.version == 3
    assert header.text("general.architecture") == "llama"
    assert header.integer("llama.context_length") == 2048
    assert header.metadata["a.flag"] is True
    assert header.metadata["a.ratio"] == 0.1
    assert header.metadata["a.small"] == -(2**40)
    assert header.array("a.words") == Array(3, ("eins", "zwei", "größer"))
    assert header.array("a.heads") == Array(4, (0, 8, 0, 8))
    assert [(each.name, each.shape, each.size) for each in header.tensors] == [
        ("token_embd.weight", (32, 32), 2048),
        ("output_norm.weight", (64,), 256),
    ]
    assert header.tensors[0].values == 1024
    assert header.data_start % 32 == 0


def test_a_vocabulary_is_passed_over(tmp_path):
    path = write_gguf(tmp_path / "tiny.gguf", vocabulary=5000)
    key = "tokenizer.ggml.tokens"
    assert read_header(path).array(key) == Array(5000, None)
    assert read_header(path).text("tokenizer.chat_template"), "what stands behind it is still read"


def test_tensor_types_are_those_of_the_gguf_package():
    from gguf.constants import GGML_QUANT_SIZES

    ours = {number: size for number, (_, *size) in TENSOR_TYPES.items()}
    for kind, size in GGML_QUANT_SIZES.items():
        if int(kind) in ours:  # the package may be newer
            assert (TENSOR_TYPES[int(kind)][0], ours[int(kind)]) == (kind.name, list(size))


def test_version_2_is_read(tmp_path):
    path = raw(tmp_path / "two.gguf", [string_key(b"general.architecture", b"llama")], version=2)
    assert read_header(path).text("general.architecture") == "llama"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", " is empty"),
        (b"GG", " is not a GGUF file"),
        (b"PK\3\4 and so on", " is not a GGUF file"),
        (b"GGUF", " is cut off: its header does not end within its 4 bytes"),
        (
            b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
            " is a big-endian GGUF file, which only runs on big-endian machines",
        ),
        (
            b"GGUF" + struct.pack("<IQQ", 1, 0, 0),
            " is a GGUF file of version 1, which llama.cpp no longer reads: convert it again",
        ),
        (b"GGUF" + struct.pack("<IQQ", 9, 0, 0), " is a GGUF file of version 9; versions 2 and 3 are known"),
    ],
)
def test_files_that_are_no_gguf(tmp_path, content, message):
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    assert refused(path) == message


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"counts": (2**60, 0)}, f" is damaged: it claims {2**60} tensors and 0 metadata keys"),
        ({"counts": (0, 1)}, " is cut off: its header does not end within its 24 bytes"),
        ({"keys": [struct.pack("<Q", 2**62)]}, f" is damaged: a metadata key claims {2**62} bytes"),
        ({"keys": [text(b"")]}, " is damaged: a metadata key is empty"),
        ({"keys": [text(b"\xff")]}, " is damaged: a metadata key is not UTF-8"),
        ({"keys": [text(b"k") + struct.pack("<I", 13)]}, " is damaged: 'k' has unknown type 13"),
        ({"keys": [string_key(b"k", b"v")] * 2}, " is damaged: the metadata key 'k' occurs twice"),
        (
            {"keys": [text(b"k") + struct.pack("<IIQ", 9, 9, 1)]},
            " is damaged: 'k' is an array of unknown type 9",
        ),
        (
            {"keys": [text(b"k") + struct.pack("<IIQ", 9, 8, 2**61)]},
            f" is damaged: 'k' claims {2**61} texts",
        ),
        (
            {"keys": [text(b"k") + struct.pack("<IIQ", 9, 4, 2**61)]},
            f" is damaged: 'k' claims {2**61} values",
        ),
        (
            {"keys": [text(b"general.alignment") + struct.pack("<II", 4, 24)]},
            " is damaged: its alignment is not a power of two",
        ),
        ({"tensors": [tensor(name=b"n" * 64)]}, " is damaged: a tensor's name is too long"),
        ({"tensors": [tensor(shape=(1,) * 5)]}, " is damaged: the tensor 't' has 5 dimensions"),
        ({"tensors": [tensor(kind=4)]}, " is damaged: the tensor 't' has unknown type 4"),
        ({"tensors": [tensor(kind=2**31)]}, f" is damaged: the tensor 't' has unknown type {2**31}"),
        (
            {"tensors": [tensor(shape=(33,), kind=2)]},
            " is damaged: the tensor 't': rows of 33 are no whole blocks of Q4_0",
        ),
        (
            {"tensors": [tensor(shape=(2**40, 2**40))]},
            " is damaged: the tensor 't' is larger than any file",
        ),
        ({"tensors": [tensor(offset=32)]}, " is damaged: the tensor 't' is not where it should be"),
        ({"tensors": [tensor(), tensor(offset=128)]}, " is damaged: the tensor 't' occurs twice"),
        ({"tensors": [tensor()], "tail": bytes(100)}, " is cut off: needs 192 bytes, has 157"),
    ],
)
def test_defects_are_named(tmp_path, parts, message):
    assert refused(raw(tmp_path / "x.gguf", **parts)) == message


def test_a_key_with_control_characters_is_shown_harmlessly(tmp_path):
    message = refused(raw(tmp_path / "x.gguf", [text(b"\x1b[2J") + struct.pack("<I", 99)]))
    assert "\x1b" not in message


def test_folders_missing_files_and_names_that_cannot_be(tmp_path):
    assert refused(tmp_path) == " is a folder, not a GGUF file"
    assert refused(tmp_path / "none.gguf") == " does not exist"
    with pytest.raises(ModelError, match="is not a file name"):
        read_header(Path("a\0b"))


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path):
    os = pytest.importorskip("os")
    if not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes here")
    os.mkfifo(tmp_path / "pipe.gguf")
    assert refused(tmp_path / "pipe.gguf") == " is not a regular file"


@pytest.mark.slow
def test_every_truncation_is_one_clear_error(tmp_path):
    content = write_gguf(tmp_path / "whole.gguf").read_bytes()
    path = tmp_path / "cut.gguf"
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        message = refused(path)
        assert "is cut off" in message or length < 4, (length, message)


def corruptions(content, header_size, count):
    """Single bytes, runs, and the numbers most likely to hurt, anywhere in the header; some cut off too."""
    rng = random.Random(2024)
    hurtful = [0, 1, 255, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1]
    for number in range(count):
        changed = bytearray(content)
        for _ in range(rng.choice((1, 1, 2, 8))):
            where = rng.randrange(4, header_size)
            new = rng.choice((rng.randbytes(1), struct.pack("<Q", rng.choice(hurtful)), rng.randbytes(40)))
            changed[where : where + len(new)] = new
        if number % 4 == 3:
            del changed[rng.randrange(len(changed)) :]
        yield bytes(changed)


@pytest.mark.slow
def test_600_corruptions_each_give_a_header_or_one_line(tmp_path):
    path = write_gguf(tmp_path / "whole.gguf", vocabulary=1200)
    header_size = read_header(path).data_start
    content = path.read_bytes()
    read = failed = 0
    # Half of them where the fields are, not in the vocabulary's long stretch of text.
    fields = content.index(b"tokenizer.ggml.tokens")
    for size in (fields, header_size):
        for changed in corruptions(content, size, 300):
            path.write_bytes(changed)
            try:
                header = read_header(path)
            except ModelError as error:
                assert "\n" not in str(error) and str(error).startswith(str(path))
                failed += 1
            else:
                assert header.file_size == len(changed)
                read += 1
    assert read + failed == 600
    assert failed > 300, "corruptions that nothing notices test nothing"


@pytest.mark.slow
def test_a_huge_claim_allocates_nothing(tmp_path):
    import tracemalloc

    keys = [text(b"k") + struct.pack("<IIQ", 9, 8, 2**19)]
    path = raw(tmp_path / "x.gguf", keys)
    with path.open("r+b") as file:
        file.truncate(2**23)  # sparse: zeros, which are empty texts
    tracemalloc.start()
    read_header(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20


def test_texts_longer_than_any_window_are_passed_over(tmp_path):
    long = [b"x" * 3_000_000 if number % 500 == 7 else b"ab" for number in range(1200)]
    array = text(b"k") + struct.pack("<IIQ", 9, 8, len(long)) + b"".join(map(text, long))
    header = read_header(raw(tmp_path / "x.gguf", [array, string_key(b"behind", b"here")]))
    assert header.array("k") == Array(1200, None)
    assert header.text("behind") == "here"


@pytest.mark.parametrize("claim", [2**25, 2**64 - 1])
def test_a_text_of_absurd_length_in_a_vocabulary_is_damage(tmp_path, claim):
    array = text(b"k") + struct.pack("<IIQ", 9, 8, 2000) + text(b"a") * 1999 + struct.pack("<Q", claim)
    message = refused(raw(tmp_path / "x.gguf", [array]))
    assert message == f" is damaged: 'k' claims a text of {claim} bytes"
