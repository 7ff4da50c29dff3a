"""``models get``: a GGUF file from the Hugging Face hub into the cache that all its tools share.

``huggingface_hub`` (extra ``hub``) lists the repository, authenticates, and lays out the cache. The transfer
goes into a partial file of our own beside the blobs, because the library starts over after an interruption;
the finished file must have the SHA-256 that the hub names before it becomes a blob.
"""

import hashlib
import importlib.util
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trchat.catalog.card import plain_name
from trchat.catalog.sources import hub_cache_dir
from trchat.errors import ModelError, TrchatError, UsageError
from trchat.text.one_line import one_line
from trchat.text.units import byte_size

PREFERRED = ("Q4_0", "Q4_K_M", "Q4_1", "Q8_0", "Q4_K_S", "Q5_K_M", "Q6_K", "F16")
"""Taken first when several files match: small, and in types that llama.cpp verifies drafts in fastest."""

PLAIN_HTTP_LIMIT = 50 * 10**9
"""Bytes. The hub gives larger files only through ``huggingface_hub``'s own Xet client."""

LISTED_AT_MOST = 30
_HASH_CHUNK = 1 << 20
_NOT_CHAT = re.compile(r"mmproj|imatrix|lora|adapter", re.IGNORECASE)
_LATER_PART = re.compile(r"-(?!00001)\d{5}-of-\d{5}\.gguf$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file in a repository. ``size`` in bytes; ``sha256`` in hexadecimal where the hub names it."""

    name: str
    size: int
    sha256: str | None


def download(spec: str, notify: Callable[[str], None] = lambda line: None) -> Path:
    """Download ``REPO[:FILE]`` and return the path of the (first) GGUF file in the cache.

    ``FILE`` is a file's name or any unambiguous part, such as ``Q4_0``; without it the one file there is, or
    the first of ``PREFERRED`` that exists. ``notify`` is told in one line what was chosen. An interrupted
    download goes on where it stopped. Raises UsageError for a spec that fits no or several files, ModelError
    when the repository or file cannot be had, TrchatError when the network or the disk fails.
    """
    if importlib.util.find_spec("huggingface_hub") is None:
        raise TrchatError("downloading needs the extra 'hub': pip install 'trchat[hub]'")
    repo, _, wanted = spec.partition(":")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        raise UsageError(f"{one_line(spec)!r} is no REPO[:FILE], such as Qwen/Qwen3-0.6B-GGUF:Q8_0")
    with _library_errors(repo):
        revision, files = _repository(repo)
    chosen = choose(repo, files, wanted)
    total = sum(file.size for file in chosen)
    parts = f" and {len(chosen) - 1} more parts" if len(chosen) > 1 else ""
    notify(f"{repo}: {chosen[0].name}{parts} ({byte_size(total)})")
    with _library_errors(repo):
        paths = [_fetch(repo, revision, file) for file in chosen]
    return paths[0]


def choose(repo: str, files: list[RemoteFile], wanted: str) -> list[RemoteFile]:
    """The file that ``wanted`` means, with all its parts if it is split. Raises UsageError or ModelError."""
    gguf = sorted((file for file in files if file.name.lower().endswith(".gguf")), key=lambda file: file.name)
    first = [file for file in gguf if not _LATER_PART.search(file.name)]
    models = [file for file in first if not _NOT_CHAT.search(file.name)]
    if not models:
        raise ModelError(f"{repo} holds no GGUF model")
    if wanted:
        fitting = _fitting(wanted, first, models)
        if len(fitting) != 1:
            problem = f"fits {len(fitting)} files" if fitting else "is no file"
            listed = _listed(fitting or models)
            raise UsageError(f"{one_line(wanted)!r} {problem} in {repo}; choose one of: {listed}")
        return _with_parts(fitting[0], gguf)
    if len(models) == 1:
        return _with_parts(models[0], gguf)
    for quantisation in PREFERRED:
        fitting = [file for file in models if _has_word(file.name, quantisation)]
        if len(fitting) == 1:
            return _with_parts(fitting[0], gguf)
    raise UsageError(f"{repo} holds {len(models)} models; choose one with {repo}:FILE: {_listed(models)}")


def _fitting(wanted: str, files: list[RemoteFile], models: list[RemoteFile]) -> list[RemoteFile]:
    sought = wanted.lower()
    exact = [file for file in files if sought in (file.name.lower(), plain_name(file.name).lower())]
    # Q4_K must not stand for Q4_K_M when there is a Q4_K, nor Q4_0 for IQ4_0: whole words come first.
    words = [file for file in models if _has_word(file.name, wanted)]
    return exact or words or [file for file in models if sought in file.name.lower()]


def _has_word(name: str, word: str) -> bool:
    return re.search(rf"(?<![A-Za-z0-9_]){re.escape(word)}(?![A-Za-z0-9_])", name, re.IGNORECASE) is not None


def _listed(files: list[RemoteFile]) -> str:
    shown = ", ".join(f"{one_line(file.name)} ({byte_size(file.size)})" for file in files[:LISTED_AT_MOST])
    return shown + (f" and {len(files) - LISTED_AT_MOST} more" if len(files) > LISTED_AT_MOST else "")


def _with_parts(first: RemoteFile, files: list[RemoteFile]) -> list[RemoteFile]:
    stem = plain_name(first.name)
    if not re.search(r"-00001-of-\d{5}\.gguf$", first.name, re.IGNORECASE):
        return [first]
    return [file for file in files if plain_name(file.name) == stem and file.name != f"{stem}.gguf"]


def _repository(repo: str) -> tuple[str, list[RemoteFile]]:
    """The commit that ``main`` stands for, and its files."""
    from huggingface_hub import HfApi

    info = HfApi().model_info(repo, files_metadata=True)
    files = [
        RemoteFile(each.rfilename, each.size or 0, each.lfs.sha256 if each.lfs else None)
        for each in info.siblings or []
    ]
    return info.sha or "main", files


def _fetch(repo: str, revision: str, file: RemoteFile) -> Path:
    """Have one file in the cache, checked."""
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    cache = hub_cache_dir()
    known = try_to_load_from_cache(repo, file.name, cache_dir=cache, revision=revision)
    checksum = file.sha256 if file.sha256 and re.fullmatch(r"[0-9a-f]{64}", file.sha256) else None
    if not isinstance(known, str) and checksum and file.size <= PLAIN_HTTP_LIMIT:
        blob = cache / f"models--{repo.replace('/', '--')}" / "blobs" / checksum
        if not blob.exists():
            _transfer(repo, revision, file, checksum, blob)
    # With the blob in place this transfers nothing: it lays the snapshot's link and main's reference.
    return Path(hf_hub_download(repo, file.name, cache_dir=cache))


def _transfer(repo: str, revision: str, file: RemoteFile, checksum: str, blob: Path) -> None:
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    blob.parent.mkdir(parents=True, exist_ok=True)
    partial = blob.with_name(f"{checksum}.trchat.incomplete")
    if partial.exists() and partial.stat().st_size > file.size:
        partial.unlink()
    with partial.open("ab") as target:
        http_get(
            hf_hub_url(repo, file.name, revision=revision),
            target,
            resume_size=target.tell(),
            headers=build_hf_headers(),
            expected_size=file.size,
            displayed_filename=file.name,
        )
    if _sha256(partial) != checksum:
        partial.unlink()
        raise TrchatError(
            f"{one_line(file.name)} arrived damaged (wrong checksum) and was deleted: try again"
        )
    partial.replace(blob)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_HASH_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def _library_errors(repo: str) -> Iterator[None]:
    """Turn whatever the library raises into one line; its error classes change from version to version."""
    from huggingface_hub import errors
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()  # its retries are told by the progress bar
    try:
        yield
    except TrchatError:
        raise
    except errors.GatedRepoError:
        raise ModelError(f"{repo} asks for its licence to be accepted at its page on the hub first") from None
    except errors.RepositoryNotFoundError:
        raise ModelError(f"the hub has no {repo}, or it is private: log in with 'hf auth login'") from None
    except Exception as error:
        raise TrchatError(
            f"the download of {repo} failed: {_first_line(error)}; try again, it goes on"
        ) from error


def _first_line(error: Any) -> str:
    lines = str(error).strip().splitlines()
    return one_line(lines[0]) if lines else type(error).__name__
