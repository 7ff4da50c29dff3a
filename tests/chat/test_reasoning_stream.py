"""Reasoning is told from the answer while both are still being written."""

import random

import pytest

from trchat.chat.reasoning import split_reasoning
from trchat.chat.reasoning_stream import ReasoningStream

TEXTS = [
    "",
    "plain",
    "  plain, with <think> inside",
    "<think>because\n</think>\n\nso.",
    "\n<think>never closed",
    "<thinking>a</think>b</thinking>c",
    "<reasoning></reasoning>",
    "[THINK] x [/THINK]y",
    "<thi",
    "<think>a</thi",
    "<thin air>",
]


@pytest.mark.parametrize("opener", [None, "<think>"])
@pytest.mark.parametrize("text", TEXTS)
def test_streamed_it_is_what_it_is_at_once(text, opener):
    reasoning, answer = split_reasoning(text, opener)
    for seed in range(30):
        random_numbers = random.Random(seed)
        stream, got, rest = ReasoningStream(opener), [], text
        while rest:
            cut = random_numbers.randint(1, 4)
            got.append(stream.push(rest[:cut]))
            rest = rest[cut:]
        got.append(stream.finish())
        assert "".join(said for _, said in got) == answer
        assert "".join(thought for thought, _ in got).strip() == (reasoning or "")


def test_text_is_not_held_back_longer_than_needed():
    stream = ReasoningStream()
    assert stream.push("The") == ("", "The")
    assert stream.push(" <think>") == ("", " <think>")
    stream = ReasoningStream("<think>")
    assert stream.push("so <") == ("so ", "")
    assert stream.push("b") == ("<b", "")
