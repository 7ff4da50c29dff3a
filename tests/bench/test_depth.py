"""The conversation to measure behind."""

import pytest

from trchat.bench.depth import conversation
from trchat.bench.questions import load_questions
from trchat.errors import UsageError


def words(turns):
    return sum(len(turn.content.split()) for turn in turns)


@pytest.mark.parametrize("depth", [1, 500, 4000])
def test_as_long_as_was_asked_for_and_no_longer_than_need_be(depth):
    turns = conversation(depth, words)
    assert words(turns) >= depth > words(turns[:-2])
    assert [turn.role for turn in turns] == ["user", "assistant"] * (len(turns) // 2)


def test_nothing_is_said_twice_or_asked_later():
    said = [turn.content for turn in conversation(5000, words)]
    assert len(set(said)) == len(said)
    assert not set(said) & {question.turns[0] for question in load_questions(None)}


def test_what_cannot_be_said_is_one_line():
    with pytest.raises(UsageError, match=r"--depth 100000: the built-in conversation ends after \d+ tokens"):
        conversation(100_000, words)
