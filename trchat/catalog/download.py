"""``models get``: a GGUF file from the Hugging Face hub into the cache that all its tools share.

``huggingface_hub`` (extra ``hub``) lists the repository, authenticates, and lays out the cache. The transfer
goes into a partial file of our own beside the blobs, because the library starts over after an interruption;
the finished file must have the SHA-256 that the hub names before it becomes a blob.
"""

import hashlib
import importlib.util
import io
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

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


Progress = Callable[[int, int], object]
"""Called with the bytes that are there and those there will be; it may raise a TrchatError to end it."""


def download(
    spec: str, notify: Callable[[str], None] = lambda line: None, progress: Progress | None = None
) -> Path:
    """Download ``REPO[:FILE]`` and return the path of the (first) GGUF file in the cache.

    ``FILE`` is a file's name or any unambiguous part, such as ``Q4_0``; without it the one file there is, or
    the first of ``PREFERRED`` that exists. Addresses from a browser and ``hf.co/…`` mean the same. ``notify``
    is told in one line what was chosen; ``progress`` stands in for the library's bar. An interrupted download
    continues where it stopped; one that is complete needs no network. Raises UsageError for a spec that fits
    no or several files, ModelError when the repository or file cannot be had, TrchatError when the network
    fails or the disk has no room.
    """
    if importlib.util.find_spec("huggingface_hub") is None:
        raise TrchatError("downloading needs the extra 'hub': pip install 'trchat[hub]'")
    repo, wanted = parse_spec(spec)
    try:
        with _library_errors(repo):
            revision, files = _repository(repo)
    except ModelError:
        raise
    except TrchatError:
        cached = _from_cache(repo, wanted)
        if cached is None:
            raise
        notify(f"{repo}: the hub cannot be reached; {one_line(cached.name)} was downloaded before")
        return cached
    chosen = choose(repo, files, wanted)
    total = sum(file.size for file in chosen)
    parts = f" and {len(chosen) - 1} more parts" if len(chosen) > 1 else ""
    notify(f"{repo}: {chosen[0].name}{parts} ({byte_size(total)})")
    with _library_errors(repo):
        missing = [file for file in chosen if not _is_cached(repo, revision, file)]
        _must_have_room(repo, missing)
        done, paths = 0, []
        for file in chosen:
            before = done
            paths.append(_fetch(repo, revision, file, progress and (lambda n: progress(before + n, total))))  # noqa: B023
            done += file.size
            if progress:
                progress(done, total)
    return paths[0]


def parse_spec(spec: str) -> tuple[str, str]:
    """Repository and file (may be empty) of what somebody typed or pasted. Raises UsageError.

    ``org/repo``, ``org/repo:Q4_0``, ``org/repo/file.gguf``, any of them behind ``hf.co/``, and the addresses
    that a browser shows for a repository or a file in it.
    """
    address = spec.strip()
    place = re.fullmatch(r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/(.*)", address)
    if place:
        address = unquote(re.split(r"[?#]", place[1])[0]).rstrip("/")
    found = re.fullmatch(r"([\w.-]+/[\w.-]+)(?::(.+)|/(?:(?:blob|resolve|tree|raw)/main/?)?(.*))?", address)
    if not found:
        raise UsageError(
            f"{one_line(spec)!r} is not OWNER/NAME or OWNER/NAME:FILE, such as Qwen/Qwen3-0.6B-GGUF:Q8_0"
        )
    return found[1], found[2] or found[3] or ""


def _repo_folder(repo: str) -> Path:
    return hub_cache_dir() / f"models--{repo.replace('/', '--')}"


def _from_cache(repo: str, wanted: str) -> Path | None:
    """The file in the cache that would be chosen; None where there is none."""
    try:
        commit = (_repo_folder(repo) / "refs" / "main").read_text(encoding="utf-8").strip()
        snapshot = _repo_folder(repo) / "snapshots" / commit
        names = [path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*.gguf")]
        chosen = choose(
            repo, [RemoteFile(name, (snapshot / name).stat().st_size, None) for name in names], wanted
        )
        return snapshot / chosen[0].name
    except (OSError, UnicodeDecodeError, TrchatError):
        return None


def _must_have_room(repo: str, files: list[RemoteFile]) -> None:
    """Raise TrchatError where the disk cannot hold what is still missing of ``files``."""
    folder = _repo_folder(repo) / "blobs"
    here = [folder / f"{file.sha256}.trchat.incomplete" for file in files]
    needed = sum(file.size for file in files) - sum(path.stat().st_size for path in here if path.exists())
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise TrchatError(
            f"not enough disk space: {byte_size(needed)} to download, {byte_size(free)} free "
            f"in {one_line(str(folder))}"
        )


def _is_cached(repo: str, revision: str, file: RemoteFile) -> bool:
    from huggingface_hub import try_to_load_from_cache

    known = try_to_load_from_cache(repo, file.name, cache_dir=hub_cache_dir(), revision=revision)
    return isinstance(known, str) or (
        file.sha256 is not None and (_repo_folder(repo) / "blobs" / file.sha256).exists()
    )


def choose(repo: str, files: list[RemoteFile], wanted: str) -> list[RemoteFile]:
    """The file that ``wanted`` means, with all its parts if it is split. Raises UsageError or ModelError."""
    gguf = sorted((file for file in files if file.name.lower().endswith(".gguf")), key=lambda file: file.name)
    first = [file for file in gguf if not _LATER_PART.search(file.name)]
    models = [file for file in first if not _NOT_CHAT.search(file.name)]
    if not models:
        raise ModelError(f"{repo} has no GGUF model")
    if wanted:
        fitting = _fitting(wanted, first, models)
        if len(fitting) != 1:
            problem = f"matches {len(fitting)} files" if fitting else "matches no file"
            listed = _listed(fitting or models)
            raise UsageError(f"{one_line(wanted)!r} {problem} in {repo}; choose one of: {listed}")
        return _with_parts(fitting[0], gguf)
    if len(models) == 1:
        return _with_parts(models[0], gguf)
    for quantisation in PREFERRED:
        fitting = [file for file in models if _has_word(file.name, quantisation)]
        if len(fitting) == 1:
            return _with_parts(fitting[0], gguf)
    raise UsageError(f"{repo} has {len(models)} models; choose one with {repo}:FILE: {_listed(models)}")


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


def _fetch(
    repo: str, revision: str, file: RemoteFile, progress: Callable[[int], object] | None = None
) -> Path:
    """Have one file in the cache, checked."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils import disable_progress_bars

    if progress:
        disable_progress_bars()  # they would be drawn over whatever shows the progress instead
    checksum = file.sha256 if file.sha256 and re.fullmatch(r"[0-9a-f]{64}", file.sha256) else None
    if checksum and file.size <= PLAIN_HTTP_LIMIT and not _is_cached(repo, revision, file):
        _transfer(repo, revision, file, checksum, _repo_folder(repo) / "blobs" / checksum, progress)
    # With the blob in place this transfers nothing: it lays the snapshot's link and main's reference.
    return Path(hf_hub_download(repo, file.name, cache_dir=hub_cache_dir()))


class _Counted(io.BufferedWriter):
    """A file that tells how long it is after each piece that is written to it."""

    def __init__(self, path: Path, progress: Callable[[int], object] | None) -> None:
        super().__init__(io.FileIO(path, "ab"))
        self._progress = progress

    def write(self, data: Any, /) -> int:
        written = super().write(data)
        if self._progress:
            self._progress(self.tell())
        return written


def _transfer(
    repo: str,
    revision: str,
    file: RemoteFile,
    checksum: str,
    blob: Path,
    progress: Callable[[int], object] | None,
) -> None:
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    blob.parent.mkdir(parents=True, exist_ok=True)
    partial = blob.with_name(f"{checksum}.trchat.incomplete")
    if partial.exists() and partial.stat().st_size > file.size:
        partial.unlink()
    with _Counted(partial, progress) as target:
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
            f"{one_line(file.name)} arrived damaged (wrong checksum) and was deleted; try again"
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
        raise ModelError(
            f"{repo} is gated: accept its licence on https://huggingface.co/{repo} first"
        ) from None
    except errors.RepositoryNotFoundError:
        raise ModelError(
            f"there is no {repo} on the hub, or it is private: log in with 'hf auth login'"
        ) from None
    except Exception as error:
        raise TrchatError(
            f"the download of {repo} failed: {_first_line(error)}; try again to resume it"
        ) from error


def _first_line(error: Any) -> str:
    lines = str(error).strip().splitlines()
    return one_line(lines[0]) if lines else type(error).__name__
