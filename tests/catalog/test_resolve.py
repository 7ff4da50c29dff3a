"""Which model a name means, and what is said when it means none or several."""

from pathlib import Path

import pytest

from tests.gguf_files import write_gguf, write_hub, write_ollama, write_split
from trchat.catalog.resolve import HOW_TO_GET_ONE, resolve_model
from trchat.catalog.sources import hub_cache_dir, models_dir
from trchat.errors import ModelError


def resolve(name):
    return resolve_model(name).path


def refused(name):
    with pytest.raises(ModelError) as caught:
        resolve(name)
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def some():
    """Four models in different places."""
    return {
        "small": write_gguf(models_dir() / "Qwen3-0.6B.Q4_0.gguf"),
        "large": write_gguf(models_dir() / "Qwen3-8B.Q4_0.gguf", name="8B"),
        "hub": write_hub(hub_cache_dir(), "org/Llama-GGUF", "llama.Q8_0.gguf", name="hub"),
        "ollama": write_ollama(Path.home() / ".ollama" / "models", "gemma3", "latest", name="gemma"),
    }


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Qwen3-0.6B.Q4_0", "small"),
        ("qwen3-0.6b.q4_0.gguf", "small"),
        ("0.6", "small"),
        ("8b", "large"),
        ("llama.Q8_0", "hub"),
        ("org/Llama-GGUF", "hub"),
        ("LLAMA", "hub"),
        ("gemma3", "ollama"),
        ("gemma3:latest", "ollama"),
    ],
)
def test_names_and_parts_of_names(some, name, meant):
    assert resolve(name) == some[meant]


def test_a_file_that_ollama_knows_by_several_names_has_them_all():
    ollama = Path.home() / ".ollama" / "models"
    blob = write_ollama(ollama, "qwen3", "8b")
    assert write_ollama(ollama, "qwen3", "latest") == blob == write_ollama(ollama, "mine", "v1")
    assert [resolve(name) for name in ("qwen3:8b", "qwen3:latest", "qwen3", "mine")] == [blob] * 4


def test_paths(some, tmp_path, monkeypatch):
    path = write_gguf(tmp_path / "dir" / "no-suffix")
    assert resolve(str(path)) == path
    monkeypatch.chdir(tmp_path)
    assert resolve("dir/no-suffix") == Path("dir/no-suffix")
    write_gguf(Path.home() / "mine.gguf")
    assert resolve("~/mine.gguf") == Path.home() / "mine.gguf"


def test_a_folder_of_a_models_name_does_not_hide_the_model(some, tmp_path, monkeypatch):
    (tmp_path / "gemma3").mkdir()
    monkeypatch.chdir(tmp_path)
    assert resolve("gemma3") == some["ollama"]


def test_ambiguous_names_list_the_candidates(some):
    assert refused("qwen") == ("'qwen' fits 2 models: Qwen3-0.6B.Q4_0, Qwen3-8B.Q4_0; write more of the name")


def test_a_full_name_is_not_ambiguous_though_others_contain_it():
    short = write_gguf(models_dir() / "qwen.gguf")
    write_gguf(models_dir() / "qwen-coder.gguf", name="other")
    assert resolve("qwen") == short


def test_models_of_one_name_are_told_apart_by_path():
    first = write_gguf(models_dir() / "a" / "x.gguf")
    second = write_gguf(Path.home() / ".lmstudio" / "models" / "a" / "x.gguf", name="other")
    assert refused("x") == f"'x' fits 2 models: a/x ({first}), a/x ({second}); write more of the name"


def test_a_projector_beside_its_model_does_not_make_it_ambiguous():
    model = write_gguf(models_dir() / "gemma.gguf")
    write_gguf(models_dir() / "mmproj-gemma.gguf", arch="clip", vocabulary=0)
    assert resolve("gemm") == model


def test_unknown_names(some):
    assert refused("mistral") == "no model is called 'mistral'; 'trchat models' lists those there are"
    assert refused("quen3-8b.q4_0") == (
        "no model is called 'quen3-8b.q4_0'; did you mean Qwen3-8B.Q4_0? "
        "'trchat models' lists those there are"
    )
    assert refused("none.gguf") == (
        "none.gguf does not exist, and no model is called that; 'trchat models' lists those there are"
    )
    assert "\x1b" not in refused("\x1b[31m")
    refused("a\0b")
    refused("x" * 5000)


def test_empty_names_and_none_at_all():
    assert refused("x") == f"no model is called 'x', and none was found: {HOW_TO_GET_ONE}"
    assert refused(" ") == f"the model's name is empty: {HOW_TO_GET_ONE}"
    assert refused(None) == f"no model to chat with: {HOW_TO_GET_ONE}"


def test_without_a_name_it_is_the_demo(some, monkeypatch):
    from trchat.catalog import resolve as module
    from trchat.catalog.sources import FoundFile

    monkeypatch.setattr(module, "demo_file", lambda: FoundFile("demo", some["hub"], "demo"))
    assert resolve(None) == some["hub"]


def test_folders(tmp_path):
    assert refused(str(tmp_path)) == f"{tmp_path} is a folder, not a GGUF file; it holds no GGUF file either"
    write_gguf(tmp_path / "a.gguf")
    assert refused(str(tmp_path)) == f"{tmp_path} is a folder, not a GGUF file; name a file in it: a.gguf"


def test_files_that_are_no_models_say_what_they_are(tmp_path):
    def message(name, **model):
        path = write_gguf(tmp_path / name, **model)
        return refused(str(path)).removeprefix(str(path))

    assert message("v.gguf", tensors=False) == " holds only a vocabulary, no weights"
    assert message("p.gguf", arch="clip", vocabulary=0) == (
        " is a vision or audio projector, not a chat model: name the model it belongs to"
    )
    assert message("l.gguf", add=lambda writer: writer.add_type("adapter")) == (
        " is a LoRA adapter, not a model: name the model it adapts"
    )
    assert message("e.gguf", arch="bert") == " is an encoder (bert): it can embed text, not chat"
    assert message("s.gguf", arch="pockettts") == " is a speech model (pockettts): it writes sounds, not text"
    assert message("n.gguf", vocabulary=0) == " has no vocabulary: it is not a chat model"
    (tmp_path / "t.gguf").write_text("just text")
    assert refused(str(tmp_path / "t.gguf")) == f"{tmp_path / 't.gguf'} is not a GGUF file"


def test_a_split_model_is_named_by_its_first_part(tmp_path):
    parts = write_split(tmp_path, "big")
    assert resolve(str(parts[0])) == parts[0]
    assert refused(str(parts[1])) == f"{parts[1]} is a later part of a split model: name its first part"


def test_a_broken_file_that_alone_fits_is_named():
    path = write_gguf(models_dir() / "broken.gguf")
    path.write_bytes(path.read_bytes()[:-100])
    assert "is cut off: needs" in refused("broken")
