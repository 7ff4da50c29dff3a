"""From flags to a model and settled settings."""

import pytest

from tests.gguf_files import write_gguf
from tests.other_programs import hide_demo
from trchat import startup
from trchat.catalog.sources import models_dir
from trchat.errors import ModelError
from trchat.startup import prepare, warnings


@pytest.fixture(autouse=True)
def nothing_elsewhere(monkeypatch):
    hide_demo(monkeypatch)


def test_model_header_and_settings_fit_together(home):
    path = write_gguf(
        models_dir() / "tiny.gguf", add=lambda writer: writer.add_float32("general.sampling.temp", 0.3)
    )
    (home / "config.toml").write_text('default_model = "tiny"\n[model.TINY]\ndraft = "off"\n')
    prepared = prepare({"top_k": 5})
    assert (prepared.model.path, prepared.header.path) == (path, path)
    settings = prepared.settings
    assert (settings.temp, settings.draft, settings.top_k) == (0.3, "off", 5)
    assert prepared.ctx == 2048, "the model's own, being smaller than 4096"
    assert prepare({"ctx": 300}).ctx == 300


def test_a_model_that_is_not_there():
    with pytest.raises(ModelError):
        prepare({"model": "none"})


def test_the_memory_warning_is_about_the_settled_settings(monkeypatch):
    write_gguf(models_dir() / "tiny.gguf", add=lambda writer: writer.add_file_type(7))
    monkeypatch.setattr(startup, "free_memory", lambda: 10_000_000)
    assert warnings(prepare({"model": "tiny"})) == []
    line, _ = warnings(prepare({"model": "tiny", "ctx": 100_000}))
    assert line.endswith("-c 7936 makes it fit")
    assert not any("fit" in line for line in warnings(prepare({"model": "tiny", "ctx": 7936})))


def test_a_context_beyond_what_the_model_was_trained_on_is_said():
    write_gguf(models_dir() / "tiny.gguf")
    assert warnings(prepare({"model": "tiny", "ctx": 2048})) == []
    (line,) = warnings(prepare({"model": "tiny", "ctx": 2049}))
    assert line.startswith("tiny was trained on at most 2048 tokens, the context holds 2049")
