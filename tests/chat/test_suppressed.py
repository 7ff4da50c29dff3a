"""Tokens that a model's file forbids (``suppress_tokens``) are never written, in any draft mode."""

import pytest

from tests.tiny_gguf import add_vocabulary, make
from trchat.chat.loading import open_engine
from trchat.chat.records import new_answer
from trchat.chat.settings import Remember, sampling_of
from trchat.chat.template import Turn
from trchat.config import settle


def written(path, temp, drafts):
    """Token ids by draft mode."""
    settings = settle({"threads": 1, "ctx": 256, "draft": "off"})
    found = {}
    with open_engine(path, settings, remember=Remember(read=False, write=False)) as engine:
        for draft in drafts:
            engine.use_draft(draft)
            answer = new_answer(1)
            for _ in engine.answer([Turn("user", "Hi")], sampling_of(settle({"temp": temp}), 1), 30, answer):
                pass
            found[draft] = answer.token_ids
    return found


@pytest.mark.slow
@pytest.mark.parametrize("temp", [0.0, 0.9])
def test_they_are_never_written(tmp_path, temp):
    wanted = written(make(tmp_path / "free.gguf"), temp, ["off"])["off"]
    forbidden = sorted(set(wanted))

    def vocabulary(writer):
        writer.add_array("tokenizer.ggml.suppress_tokens", forbidden)
        return add_vocabulary(writer)

    path = make(tmp_path / "bound.gguf", vocabulary=vocabulary)
    by_mode = written(path, temp, ["off", "lookup", "recycling", "auto"])
    assert not set(forbidden) & set(by_mode["off"])
    assert len(set(map(tuple, by_mode.values()))) == 1, by_mode
