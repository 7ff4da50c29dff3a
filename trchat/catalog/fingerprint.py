"""What tells a model from all others, wherever its file lies and whatever it is called; milliseconds."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from trchat.catalog.card import ModelCard, describe, part_files
from trchat.catalog.gguf_header import Header, read_header
from trchat.errors import ModelError
from trchat.text.one_line import one_line

SAMPLES = 24
"""Places in each part of the weights that are looked at."""
SAMPLE_BYTES = 4096

_TOKENS = "tokenizer.ggml.tokens"
_TOKENIZER_ARRAYS = (_TOKENS, "tokenizer.ggml.merges", "tokenizer.ggml.token_type")
_TOKENIZER_TEXTS = ("tokenizer.ggml.model", "tokenizer.ggml.pre")
_DIGEST_BYTES = 16
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A model's identity.

    Attributes:
        name: what the model calls itself; empty where it does not, since a file's name is not an identity.
        card: its architecture, parameters, quantisation.
        vocabulary: how many tokens there are.
        tokenizer: hash of vocabulary and merges: where it is the same, token ids mean the same.
        weights: hash of the whole header and of samples of the tensors' bytes.
    """

    name: str
    card: ModelCard
    vocabulary: int
    tokenizer: str
    weights: str


def fingerprint(path: Path) -> Fingerprint:
    """Read the identity of the model at ``path``. Raises ModelError for what is not a whole model.

    Of the weights only ``SAMPLES`` small pieces are read, so a file of 10 GB takes no longer than its
    vocabulary does.
    """
    header = read_header(path)
    card = describe(header)
    try:
        with path.open("rb") as file:
            tokenizer = _tokenizer(header, file)
        weights = _weights(header, part_files(path))
    except OSError as error:
        raise ModelError(f"{one_line(str(path))} cannot be read: {error.strerror or error}") from None
    tokens = header.array(_TOKENS)
    name = header.text("general.name") or ""
    return Fingerprint(name, card, tokens.length if tokens else 0, tokenizer, weights)


def _tokenizer(header: Header, file: BinaryIO) -> str:
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for key in _TOKENIZER_TEXTS:
        digest.update(f"{key}={header.text(key)}\0".encode())
    for key in _TOKENIZER_ARRAYS:
        array = header.array(key)
        digest.update(f"{key}:{array.length if array else None}\0".encode())
        if array:
            _hash_span(digest, file, *array.span)
    return digest.hexdigest()


def _weights(header: Header, parts: Iterable[Path]) -> str:
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for number, part in enumerate(parts):
        with part.open("rb") as file:
            size = file.seek(0, 2)
            start = min(header.data_start, size) if number == 0 else 0
            digest.update(f"{size}\0".encode())
            _hash_span(digest, file, 0, start)
            room = max(size - start - SAMPLE_BYTES, 0)
            for sample in range(SAMPLES):
                file.seek(start + room * sample // (SAMPLES - 1))
                digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()


def _hash_span(digest: "hashlib.blake2b", file: BinaryIO, start: int, end: int) -> None:
    file.seek(start)
    while start < end and (chunk := file.read(min(_CHUNK, end - start))):
        digest.update(chunk)
        start += len(chunk)
