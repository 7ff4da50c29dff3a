"""What a person wants to know of a model before loading it, told from its header(s)."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from trchat.catalog.gguf_header import Header, read_header
from trchat.catalog.gguf_types import FILE_TYPES, type_name
from trchat.errors import ModelError
from trchat.text.one_line import one_line

_PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$", re.IGNORECASE)
_GUESSED_FILE_TYPE = 1024
"""Flag in ``general.file_type``: the type was guessed from the tensors."""

_ENCODERS = frozenset(
    (
        "bert",
        "nomic-bert",
        "nomic-bert-moe",
        "neo-bert",
        "jina-bert-v2",
        "jina-bert-v3",
        "modern-bert",
        "eurobert",
        "gemma-embedding",
        "llama-embed",
        "t5encoder",
    )
)
_SPEECH = frozenset(("pockettts", "qwen3tts", "wavtokenizer-dec"))
_PROJECTORS = frozenset(("clip", "mmproj"))


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One model at a glance. ``size`` in bytes, ``context`` in tokens (0 where the file does not say)."""

    title: str
    architecture: str
    parameters: int
    quantisation: str
    size: int
    context: int
    chat_template: bool
    parts: int


def describe(header: Header) -> ModelCard:
    """Make the card of a model from the header of its only or first file; the other parts are read here.

    Raises ModelError when the file cannot chat or a part is missing or unreadable.
    """
    reason = why_no_chat(header)
    if reason:
        raise ModelError(f"{one_line(str(header.path))} {reason}")
    headers = [header, *(read_header(part) for part in part_files(header.path)[1:])]
    tensors = [tensor for each in headers for tensor in each.tensors]
    architecture = header.text("general.architecture") or "unknown"
    return ModelCard(
        title=header.text("general.name") or header.path.stem,
        architecture=architecture,
        parameters=sum(tensor.values for tensor in tensors),
        quantisation=_quantisation(headers),
        size=sum(each.file_size for each in headers),
        context=max(header.integer(f"{architecture}.context_length") or 0, 0),
        chat_template=bool(header.text("tokenizer.chat_template")),
        parts=len(headers),
    )


def why_no_chat(header: Header) -> str | None:
    """Say what the file is instead of a model that can answer, or None when it is one."""
    architecture = header.text("general.architecture")
    kind = header.text("general.type")
    reason = None
    if kind == "adapter" or header.text("adapter.type"):
        reason = "is a LoRA adapter, not a model: name the model it adapts"
    elif kind == "mmproj" or architecture in _PROJECTORS:
        reason = "is a vision or audio projector, not a chat model: name the model it belongs to"
    elif kind == "imatrix" or architecture in ("imatrix", "controlvector"):
        reason = "holds quantisation or steering data, not a model"
    elif header.integer("split.no"):
        reason = "is a later part of a split model: name its first part"
    elif architecture is None:
        reason = "names no architecture: it is not a model that llama.cpp can run"
    elif not header.tensors and not header.integer("split.count"):
        reason = "holds only a vocabulary, no weights"
    elif header.text("tokenizer.ggml.model") in (None, "none", "no_vocab"):
        reason = "has no vocabulary: it is not a chat model"
    elif architecture in _SPEECH:
        reason = f"is a speech model ({architecture}): it writes sounds, not text"
    elif architecture in _ENCODERS:
        reason = f"is an encoder ({architecture}): it can embed text, not chat"
    return reason


def part_number(path: Path) -> int:
    """Which part of a split model the name says this is, from 1; 1 for an unsplit model as well."""
    match = _PART.search(path.name)
    return int(match[1]) if match else 1


def part_files(path: Path) -> list[Path]:
    """All parts of the model whose first part is ``path``. Raises ModelError when one is missing."""
    match = _PART.search(path.name)
    if not match:
        return [path]
    stem, count = path.name[: match.start()], int(match[2])
    parts = [path]
    for number in range(2, count + 1):  # the first one missing ends this: a false count costs nothing
        part = path.with_name(f"{stem}-{number:05}-of-{count:05}.gguf")
        if not part.exists():
            raise ModelError(
                f"{one_line(str(path))} is incomplete: {one_line(part.name)} is missing beside it"
            )
        parts.append(part)
    return parts


def plain_name(name: str) -> str:
    """A file's name without ``.gguf`` and without the part number."""
    match = _PART.search(name)
    if match:
        return name[: match.start()]
    return name[: -len(".gguf")] if name.lower().endswith(".gguf") else name


def recommended_sampling(header: Header) -> dict[str, int | float]:
    """The sampling settings its maker put into the file, by trchat's names; nonsense is left out."""
    found: dict[str, int | float] = {}
    for name, key, low, high in _SAMPLING:
        value = header.metadata.get(f"general.sampling.{key}")
        if isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high:
            # The file holds 32-bit floats: 0.7 would come back as 0.699999988079071.
            found[name] = round(value, 6) if isinstance(value, float) else value
    if "top_k" in found:
        found["top_k"] = int(found["top_k"])
    return found


_SAMPLING = (
    ("temp", "temp", 0.0, 100.0),
    ("top_k", "top_k", 0, 2**31 - 1),
    ("top_p", "top_p", 0.0, 1.0),
    ("min_p", "min_p", 0.0, 1.0),
    ("repeat_penalty", "penalty_repeat", 0.01, 100.0),
)


def _quantisation(headers: list[Header]) -> str:
    file_type = headers[0].integer("general.file_type")
    if file_type is not None and file_type & ~_GUESSED_FILE_TYPE in FILE_TYPES:
        return FILE_TYPES[file_type & ~_GUESSED_FILE_TYPE]
    weights: Counter[int] = Counter()
    for header in headers:
        for tensor in header.tensors:
            weights[tensor.type_number] += tensor.values
    return type_name(weights.most_common(1)[0][0]) if weights else "unknown"
