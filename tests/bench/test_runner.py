"""Who answers what, and that nothing is left behind."""

from types import SimpleNamespace

import pytest

from trchat.bench.questions import Question
from trchat.bench.runner import answer_turns
from trchat.chat.records import Delta
from trchat.llama.sampling import Sampling


class Interrupting(Delta):
    """A piece of an answer at which ctrl+c is pressed."""

    @property
    def step(self):
        raise KeyboardInterrupt


def test_an_interrupted_answer_is_closed_at_once():
    closed = []

    def answer(*_args):
        try:
            yield Interrupting.__new__(Interrupting)
        finally:
            closed.append(True)

    engine = SimpleNamespace(answer=answer, forget=lambda: None)
    question = Question("1", "qa", ("Say it.",))
    # The traceback still holds the answer's frame; its drafter must have settled all the same.
    with pytest.raises(KeyboardInterrupt) as caught:
        next(answer_turns(engine, {"off": None}, question, Sampling(), 4))
    assert caught.value and closed == [True]
