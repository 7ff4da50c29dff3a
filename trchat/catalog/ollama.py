"""Ollama's models: a manifest (JSON) per name and tag points to the blob that is the GGUF file."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from trchat.paths import user_path

MODEL_LAYER = "application/vnd.ollama.image.model"
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
    root = folder / "manifests"
    try:
        manifests = sorted(root.glob("*/*/*/*"))
    except OSError:
        return
    for manifest in manifests:
        blob = _model_blob(manifest, folder / "blobs")
        if blob:
            yield _name(manifest.relative_to(root).parts), blob


def _model_blob(manifest: Path, blobs: Path) -> Path | None:
    try:
        if not manifest.is_file() or manifest.stat().st_size > MANIFEST_LIMIT:
            return None
        content = json.loads(manifest.read_text(encoding="utf-8"))
        layers = content["layers"]
        for layer in layers:
            # The digest becomes a file name: nothing but hexadecimal digits may come through.
            digest = _DIGEST.fullmatch(layer["digest"])
            if layer["mediaType"] == MODEL_LAYER and digest:
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
