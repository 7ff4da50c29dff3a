"""Ollama's models: a manifest (JSON) per name and tag names the GGUF file, a system prompt, parameters."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from trchat.paths import user_path

SOURCE = "ollama"
MODEL_LAYER = "application/vnd.ollama.image.model"
SYSTEM_LAYER = "application/vnd.ollama.image.system"
PARAMETERS_LAYER = "application/vnd.ollama.image.params"
PARAMETERS = {
    "temperature": "temp",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "repeat_penalty": "repeat_penalty",
    "seed": "seed",
    "num_ctx": "ctx",
    "num_predict": "max_tokens",
    "stop": "stop",
}
"""What Ollama calls the settings that trchat has too."""
SYSTEM_FOLDER = Path("/usr/share/ollama/.ollama/models")
"""Where the Linux service keeps its models."""

MANIFEST_LIMIT = 1 << 20
"""Bytes; a real manifest has about one thousand."""

_DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")
_DEFAULT_REGISTRY = "registry.ollama.ai"
_DEFAULT_NAMESPACE = "library"


def folders() -> list[Path]:
    """Ollama's models folders: the one that ``OLLAMA_MODELS`` names, else the user's and the service's."""
    chosen = os.environ.get("OLLAMA_MODELS")
    return [user_path(chosen)] if chosen else [user_path("~/.ollama/models"), SYSTEM_FOLDER]


def models(folder: Path) -> Iterator[tuple[str, Path]]:
    """Name (as ``ollama run`` takes it) and GGUF blob of every model whose blob is there."""
    for name, manifest in _manifests(folder):
        blob = _blob(manifest, folder / "blobs", MODEL_LAYER)
        if blob:
            yield name, blob


def recommended(name: str) -> dict[str, object]:
    """A model's system prompt and parameters, by trchat's names for them; nothing of it is checked."""
    found: dict[str, object] = {}
    for folder in folders():
        for manifest in (manifest for each, manifest in _manifests(folder) if each == name):
            system = _blob(manifest, folder / "blobs", SYSTEM_LAYER)
            parameters = _blob(manifest, folder / "blobs", PARAMETERS_LAYER)
            with suppress(OSError, ValueError):
                if system and system.stat().st_size <= MANIFEST_LIMIT:
                    found["system"] = system.read_text(encoding="utf-8")
            with suppress(OSError, ValueError, RecursionError):
                if parameters and parameters.stat().st_size <= MANIFEST_LIMIT:
                    content = json.loads(parameters.read_text(encoding="utf-8"))
                    if isinstance(content, dict):
                        found |= {
                            ours: content[theirs] for theirs, ours in PARAMETERS.items() if theirs in content
                        }
            return found
    return found


def _manifests(folder: Path) -> Iterator[tuple[str, Path]]:
    root = folder / "manifests"
    try:
        found = sorted(root.glob("*/*/*/*"))
    except OSError:
        return
    for manifest in found:
        yield _name(manifest.relative_to(root).parts), manifest


def _blob(manifest: Path, blobs: Path, kind: str) -> Path | None:
    """The file of a manifest's first layer of this kind."""
    try:
        if not manifest.is_file() or manifest.stat().st_size > MANIFEST_LIMIT:
            return None
        content = json.loads(manifest.read_text(encoding="utf-8"))
        layers = content["layers"]
        for layer in layers:
            # The digest becomes a file name: nothing but hexadecimal digits may come through.
            digest = _DIGEST.fullmatch(layer["digest"])
            if layer["mediaType"] == kind and digest:
                for blob in (blobs / f"sha256-{digest[1]}", blobs / f"sha256:{digest[1]}"):
                    if blob.is_file():
                        return blob
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass  # not a manifest: someone else's file is not this program's business
    return None


def _name(parts: tuple[str, ...]) -> str:
    registry, namespace, model, tag = parts
    name = f"{model}:{tag}"
    if namespace != _DEFAULT_NAMESPACE or registry != _DEFAULT_REGISTRY:
        name = f"{namespace}/{name}"
    return name if registry == _DEFAULT_REGISTRY else f"{registry}/{name}"
