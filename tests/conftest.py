import pytest

ELSEWHERE = ("HF_HUB_CACHE", "HF_HOME", "HF_ENDPOINT", "HF_TOKEN", "XDG_CACHE_HOME")
SETTINGS = (
    "MODEL",
    "SYSTEM",
    "TEMP",
    "TOP_K",
    "TOP_P",
    "MIN_P",
    "REPEAT_PENALTY",
    "SEED",
    "MAX_TOKENS",
    "CTX",
)
MORE_SETTINGS = ("THREADS", "GPU_LAYERS", "CACHE_TYPE", "FLASH_ATTN", "DRAFT", "TEMPLATE", "THEME")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Every test has a home of its own, so that none reads or writes the user's."""
    folder = tmp_path / "home"
    monkeypatch.setenv("TRCHAT_HOME", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "user"))
    # Set, it is the only place looked at: without it, a machine's own Ollama service would be.
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "user" / ".ollama" / "models"))
    for name in (*ELSEWHERE, *(f"TRCHAT_{setting}" for setting in SETTINGS + MORE_SETTINGS)):
        monkeypatch.delenv(name, raising=False)
    return folder
