"""Reasoning and answer are taken apart, and put together again to go on with."""

import pytest

from tests.tiny_gguf import make
from trchat.chat.loading import open_engine
from trchat.chat.reasoning import rejoined, split_reasoning
from trchat.chat.records import new_answer
from trchat.chat.saved_answer import SavedAnswer
from trchat.chat.settings import Remember, sampling_of
from trchat.chat.template import Turn
from trchat.config import settle
from trchat.storage.conversations import ConversationStore

PARTS = [(None, "x"), ("why", "x"), ("", "x"), ("why", ""), (None, "")]


@pytest.mark.parametrize("opener", [None, "<think>", "[THINK]"])
@pytest.mark.parametrize("parts", PARTS)
def test_what_is_put_together_is_taken_apart_again(parts, opener):
    reasoning, text = parts
    whole = rejoined(reasoning, text, opener)
    assert split_reasoning(whole, opener) == (reasoning if opener is None else reasoning or "", text)


def test_reasoning_that_was_cut_goes_on():
    assert rejoined("so far", "") == "<think>\nso far"
    assert rejoined("so far", "", "<think>") == "so far"
    assert rejoined("so far", "Thus", "[THINK]") == "so far\n[/THINK]\n\nThus"


@pytest.mark.parametrize("parts", PARTS[1:4])
def test_an_answer_goes_on_in_the_reasoning_that_the_prompt_opens(tmp_path, parts):
    """Not in a second one within it; and what is kept has no tags in it."""
    path = make(tmp_path / "tiny.gguf", template="{{ messages[0].content }}<think>")
    settings, cold = settle({"temp": 0.0, "threads": 1, "ctx": 512}), Remember(read=False, write=False)
    store = ConversationStore(None, pytest.fail)
    question = store.add_message(store.create_conversation().id, "user", "Say it.")
    begun, answer = store.begin_answer(question.id), new_answer(0)
    with open_engine(path, settings, remember=cold) as engine:
        opening = rejoined(*parts)
        for _ in engine.answer(
            [Turn("user", "Say it.")], sampling_of(settings, 0), 4, answer, opening=opening
        ):
            pass
        read = engine.model.tokenize("Say it.<think>" + rejoined(*parts, "<think>"), parse_special=True)
        assert answer.prompt_tokens == len(read)
    SavedAnswer(store, begun.id, opening).end(answer, "length")
    kept = store.message(begun.id)
    store.close()
    assert (kept.reasoning or "").startswith(parts[0] or "") and "<think>" not in (kept.reasoning or "")
    assert kept.text.startswith(parts[1])
