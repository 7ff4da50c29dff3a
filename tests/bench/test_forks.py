"""Where two answers part, the model itself tells how close it was."""

import dataclasses

import pytest

from trchat.bench.forks import fork_margins
from trchat.bench.questions import Question
from trchat.bench.runner import run
from trchat.chat.loading import open_engine
from trchat.chat.settings import Remember
from trchat.config import Settings
from trchat.drafting import make_drafter
from trchat.llama.sampling import Sampling

pytestmark = pytest.mark.model


def test_the_margin_is_taken_at_the_first_token_that_differs(demo_model):
    remember = Remember(read=False, write=False)
    with open_engine(demo_model, Settings(ctx=512, threads=1), remember=remember) as engine:
        question = Question("1", "qa", ("What is the capital of France?",))
        greedy = Sampling(temperature=0.0)
        measured = list(
            run(engine, lambda mode: make_drafter(mode, engine.model.n_vocab), ["off"], [question], greedy, 6)
        )
        off = measured[0]
        same = dataclasses.replace(off, mode="auto")
        wrong = dataclasses.replace(
            off, mode="lookup", token_ids=(*off.token_ids[:3], 1 + off.token_ids[3], *off.token_ids[4:])
        )
        margins = fork_margins(engine, [off, same, wrong])
        prompt = engine.prompts.build(off.turns).ids
        assert list(margins) == [wrong]
        assert margins[wrong] == engine.margin([*prompt, *off.token_ids[:3]]) > 0
