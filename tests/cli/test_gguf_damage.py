"""200 damaged headers: whatever names such a file, in ``models`` or for ``ask``, answers in one line."""

import random
import struct

import pytest

from tests.other_programs import hide_demo
from trchat.catalog.sources import models_dir

pytestmark = pytest.mark.slow

DAMAGES = 200


def header_size(raw):
    """Where the tensors' data begins: what lies before is worth damaging."""
    return raw.rindex(b"output_norm.weight") + 64


def damaged(raw, end, seed):
    """One of many ways to spoil a header."""
    random_numbers = random.Random(seed)
    data = bytearray(raw)
    at = random_numbers.randrange(end)
    match seed % 8:
        case 0:
            data[at] ^= 1 << random_numbers.randrange(8)
        case 1:
            data[at] = random_numbers.randrange(256)
        case 2:
            data[at : at + 8] = struct.pack("<Q", random_numbers.choice([2**64 - 1, 2**63, 2**32, 2**31, 0]))
        case 3:
            del data[at : at + random_numbers.randrange(1, 40)]
        case 4:
            data[at:at] = random_numbers.randbytes(random_numbers.randrange(1, 40))
        case 5:
            del data[at:]
        case 6:
            length = random_numbers.randrange(1, 200)
            data[at : at + length] = random_numbers.randbytes(length)
        case _:
            field = random_numbers.choice([4, 8, 16])  # version, tensor count, key count
            data[field : field + 4] = random_numbers.randbytes(4)
    return bytes(data)


@pytest.fixture
def only_ours(monkeypatch):
    hide_demo(monkeypatch)
    monkeypatch.setattr("trchat.catalog.sources.demo_file", lambda: None)


def in_one_line(err):
    return err.count("\n") == 1 and err.startswith("trchat: ") and "Traceback" not in err and len(err) < 1000


def test_every_damage_is_one_line(here, only_ours, tiny_chat):
    raw = tiny_chat.read_bytes()
    path = models_dir() / "damaged.gguf"
    path.parent.mkdir(parents=True)
    (path.parent / "sound.gguf").write_bytes(raw)
    end = header_size(raw)
    refused = 0
    for seed in range(DAMAGES):
        path.write_bytes(damaged(raw, end, seed))
        code, out, err = here("models", "info", path)
        assert (code == 0 and err == "") or (code == 3 and out == "" and in_one_line(err)), (seed, code, err)
        refused += code == 3
        if seed % 10 == 0:  # the same by its name, and in the list
            assert here("models", "path", "damaged")[0] == code, seed
            listed, _table, warnings = here("models")
            assert listed == 0
            assert warnings == "" or in_one_line(warnings), (seed, warnings)
        if code == 3:
            asked = here("ask", "-m", path, "Hi")
            assert asked[0] == 3, seed
            assert in_one_line(asked[2]), (seed, asked)
    assert refused > DAMAGES // 2


SUBTLE = {
    "no tensors": lambda raw: raw.replace(b"blk.0.attn_q.weight", b"blk.9.attn_q.weight"),
    "another architecture": lambda raw: raw.replace(b"llama", b"lxama"),
    "a width that does not fit": lambda raw: raw.replace(
        b"llama.embedding_length" + struct.pack("<II", 4, 64),
        b"llama.embedding_length" + struct.pack("<II", 4, 63),
    ),
    "no heads": lambda raw: raw.replace(
        b"llama.attention.head_count" + struct.pack("<II", 4, 4),
        b"llama.attention.head_count" + struct.pack("<II", 4, 0),
    ),
    "an unknown tokenizer": lambda raw: raw.replace(b"gpt2", b"gpx2"),
    "a broken template": lambda raw: raw.replace(b"{% for m in", b"{% fox m in"),
}


@pytest.mark.parametrize("name", SUBTLE)
def test_what_only_llama_cpp_notices_is_one_line_too(trchat, tmp_path, tiny_chat, name):
    raw = tiny_chat.read_bytes()
    path = tmp_path / "subtle.gguf"
    path.write_bytes(SUBTLE[name](raw))
    assert path.read_bytes() != raw
    done = trchat("ask", "-m", path, "-n", "2", "Hi")
    assert done.returncode in (1, 3)
    assert done.stdout == b""
    assert in_one_line(done.stderr.decode()), done.stderr
