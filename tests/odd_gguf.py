"""Odd and hostile GGUF files: a tiny model of which something is changed, by a number that says what.

Run as ``python -m tests.odd_gguf FIRST LAST``, it asks ``trchat`` of each of so many files and counts how
that ended; of what no program should do (a signal, more than a line, no end) it prints the number.
"""

import os
import random
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from gguf import GGUFReader, GGUFValueType, GGUFWriter

from tests.tiny_gguf import make

NUMBERS = (0, 1, 2, 3, 7, 63, 65, 255, 2**16, 2**31 - 1, 2**31, 2**32 - 1)
REALS = (0.0, -1.0, 1e-30, 1e30, float("inf"), float("-inf"), float("nan"))
TEXTS = (
    "",
    "default",
    "tekken",
    "llama-bpe",
    "gpt-4o",
    "no-such",
    "{% for x in %}",
    "{{ messages[9] }}",
    "é" * 5000,
)
ARCHITECTURES = ("llama", "qwen2", "gemma2", "mamba")
OTHERS = (
    *(
        "phi3",
        "falcon",
        "gpt2",
        "starcoder2",
        "command-r",
        "deepseek2",
        "rwkv6",
        "jamba",
        "olmo2",
        "qwen3moe",
    ),
    *(
        "gemma3",
        "glm4",
        "t5",
        "bert",
        "granite",
        "lfm2",
        "minicpm3",
        "chatglm",
        "plamo",
        "mpt",
        "bloom",
        "dbrx",
    ),
)


def make_odd(path: Path, number: int) -> str:
    """Write the odd file ``number``; returns what is odd about it."""
    chance = random.Random(number)
    base = path.with_name(f"base-{number % 4}.gguf")
    if not base.exists():
        make(base, ARCHITECTURES[number % 4])
    reader = GGUFReader(base)
    arch = ARCHITECTURES[number % 4]
    fields = {name: each for name, each in reader.fields.items() if not name.startswith("GGUF.")}
    values = {name: each.contents() for name, each in fields.items()}
    kinds = {name: each.types for name, each in fields.items()}
    tensors = {each.name: (np.array(each.data), each.tensor_type) for each in reader.tensors}
    said = _change(chance, arch, values, kinds, tensors)
    _write(path, arch, values, kinds, tensors)
    return f"{arch}: {said}"


def _change(chance, arch, values, kinds, tensors):
    match chance.randrange(8):
        case 0 | 1 | 2:  # one value
            name = chance.choice([each for each in values if each != "general.architecture"])
            kind = kinds[name][0]
            if kind == GGUFValueType.ARRAY:
                return _change_array(chance, name, values)
            if kind == GGUFValueType.STRING:
                values[name] = chance.choice(TEXTS)
            elif kind in (GGUFValueType.FLOAT32, GGUFValueType.FLOAT64):
                values[name] = chance.choice(REALS)
            elif kind == GGUFValueType.BOOL:
                values[name] = not values[name]
            else:
                values[name] = chance.choice(NUMBERS)
            return f"{name} = {values[name]!r:.60}"
        case 3:  # a value of another type, or none
            name = chance.choice([each for each in values if each != "general.architecture"])
            if chance.random() < 0.5:
                del values[name]
                return f"no {name}"
            values[name], kinds[name] = chance.choice(
                [("text", [GGUFValueType.STRING]), (3, [GGUFValueType.UINT32])]
            )
            return f"{name} is {values[name]!r}"
        case 4:  # an architecture that the rest does not fit
            other = chance.choice(OTHERS)
            for name in [each for each in values if each.startswith(f"{arch}.")]:
                values[name.replace(arch, other, 1)] = values.pop(name)
                kinds[name.replace(arch, other, 1)] = kinds.pop(name)
            values["general.architecture"] = other
            return f"architecture {other}"
        case 5:  # a tensor of another shape, or none
            name = chance.choice(list(tensors))
            data, kind = tensors[name]
            if chance.random() < 0.4:
                del tensors[name]
                return f"no {name}"
            tensors[name] = (
                data[: max(len(data) // 2, 1)] if chance.random() < 0.5 else np.concatenate([data, data]),
                kind,
            )
            return f"{name} of {len(tensors[name][0])} rows"
        case 6:  # weights that are no numbers
            name = chance.choice(list(tensors))
            data = tensors[name][0].copy()
            if data.dtype == np.float32:
                data[:] = chance.choice(REALS)
            else:
                data.reshape(-1)[:] = 0x7E
            tensors[name] = (data, tensors[name][1])
            return f"{name} full of nonsense"
        case _:  # a special token that is none
            name = f"tokenizer.ggml.{chance.choice(['bos', 'eos', 'unknown', 'padding', 'eot'])}_token_id"
            values[name], kinds[name] = chance.choice(NUMBERS), [GGUFValueType.UINT32]
            return f"{name} = {values[name]}"


def _change_array(chance, name, values):
    array = list(values[name])
    match chance.randrange(4):
        case 0:
            values[name] = array[: max(len(array) // 2, 1)]
        case 1:
            values[name] = array + array[:50]
        case 2:
            values[name] = [array[0]] * len(array)
        case _:
            place = chance.randrange(len(array))
            odd = chance.choice(["", "\0", "<|im_end|>", "x" * 70000]) if isinstance(array[0], str) else 2**30
            values[name] = [*array[:place], odd, *array[place + 1 :]]
    return f"{name} changed, {len(values[name])} long"


def _write(path, arch, values, kinds, tensors):
    writer = GGUFWriter(path, values.get("general.architecture", arch))
    for name, value in values.items():
        if name != "general.architecture":
            kind = kinds[name][0]
            writer.add_key_value(name, value, kind, kinds[name][-1] if kind == GGUFValueType.ARRAY else None)
    for name, (data, kind) in tensors.items():
        writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def verdict(path: Path, seconds: float = 60) -> tuple[str, str]:
    """How asking the model at ``path`` ends: a word, and what was printed on stderr."""
    command = [sys.executable, "-m", "trchat", "ask", "-q", "-m", str(path), "--no-save", "-n", "6"]
    try:
        done = subprocess.run(
            [*command, "-c", "256", "--threads", "1", "Hi there"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return "hangs", ""
    err = done.stderr.decode("utf-8", "replace")
    if done.returncode == 0:
        return "answers", err
    if done.returncode not in (1, 3, 4) or err.count("\n") != 1 or not err.startswith("trchat: "):
        return f"BAD ({done.returncode})", err
    return ("crash, one line" if "llama.cpp crashed" in err else "refused, one line"), err


def main() -> None:
    first, last = map(int, sys.argv[1:])
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TRCHAT_HOME"] = folder
        for number in range(first, last):
            path = Path(folder) / f"odd-{number}.gguf"
            try:
                said = make_odd(path, number)
            except (ValueError, TypeError, struct.error, OverflowError):
                counts["cannot be written"] += 1
                continue
            word, err = verdict(path)
            path.unlink()
            counts[word] += 1
            if word.startswith(("BAD", "hangs")):
                print(number, said, word, err, flush=True)
            elif word.startswith("crash"):
                print(number, said, err.strip(), flush=True)
    print(dict(counts))


if __name__ == "__main__":
    main()
