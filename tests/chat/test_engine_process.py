"""An engine in another process answers as one in this process does, and its end is one line here."""

import os
import signal
import threading
import time
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tiny_gguf import make
from trchat.chat import engine_process
from trchat.chat.crash import describe_end
from trchat.chat.engine_process import EngineStarter
from trchat.chat.engine_protocol import Growth, apply
from trchat.chat.loading import open_engine
from trchat.chat.records import Answer, Delta, Prefill, new_answer
from trchat.chat.settings import Remember, sampling_of
from trchat.chat.template import Turn
from trchat.config import Settings
from trchat.errors import ContextError, CrashError, ModelError
from trchat.model_crashes import known_crash

pytestmark = pytest.mark.slow
posix = pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
SETTINGS = Settings(ctx=512, threads=1, temp=0.0, draft="recycling")
COLD = Remember(read=False, write=False)
TURNS = [Turn("user", "Say something, and say it again.")]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make(tmp_path_factory.mktemp("model") / "tiny.gguf")


@pytest.fixture
def engine(model):
    with EngineStarter() as starter, starter.open(model, SETTINGS, remember=COLD) as engine:
        yield engine


def ask(engine, tokens=60, turns=TURNS, **more):
    answer = new_answer(0)
    events = engine.answer(turns, sampling_of(SETTINGS, 0), tokens, answer, **more)
    return answer, list(events)


def timeless(answer):
    told = {each.name: getattr(answer, each.name) for each in fields(answer)}
    counts = told.pop("statistics")
    del told["prompt_s"]
    return told, counts.steps, counts.tokens, counts.drafted, counts.accepted


def test_all_that_is_said_and_counted_is_as_in_this_process(engine, model):
    there, events_there = ask(engine)
    with open_engine(model, SETTINGS, remember=COLD) as local:
        here, events_here = ask(local)
        assert engine.facts == local.facts
        assert engine.thinking == local.thinking
        assert engine.standing.mode == local.standing.mode
        assert engine.standing.rows_learned == local.standing.rows_learned > 0
        tokens = {token for event in events_here if isinstance(event, Delta) for token in event.step.tokens}
        assert {token: engine.piece(token) for token in tokens} == {t: local.piece(t) for t in tokens}
    assert timeless(there) == timeless(here) and there.statistics.drafted > 0
    assert [type(each) for each in events_there] == [type(each) for each in events_here]
    for one, other in zip(events_there, events_here, strict=True):
        if isinstance(one, Delta):
            assert (one.said, one.step.tokens, one.step.path) == (
                other.said,
                other.step.tokens,
                other.step.path,
            )
            outline, tree = one.step.tree, other.step.tree
            assert outline.tokens == tree.tokens.tolist() and outline.parents == tree.parents.tolist()
            assert (outline.depths, outline.sources) == (tree.depths, tree.sources)


def test_an_answer_that_is_left_holds_what_was_seen_and_the_next_one_is_whole(engine):
    answer, seen = new_answer(0), ""
    events = engine.answer(TURNS, sampling_of(SETTINGS, 0), None, answer)
    for event in events:
        if isinstance(event, Delta):
            seen += event.whole.text
            if len(answer.token_ids) > 10:
                break
    events.close()
    assert (answer.text, answer.finish) == (seen, "cancelled")
    assert ask(engine)[0].finish in ("length", "stop")


def test_a_stop_is_heard_while_a_prompt_is_read(engine):
    long = [Turn("user", "word " * 80)]
    answer, events = ask(engine, turns=long, stop=lambda: True)
    assert answer.finish == "cancelled" and not any(isinstance(each, Prefill) for each in events)
    assert ask(engine, turns=long, tokens=3)[0].finish == "length"


def test_errors_come_across_with_their_exit_code(engine):
    with pytest.raises(ContextError, match="the context holds 512"):
        ask(engine, turns=[Turn("user", "word " * 4000)])
    assert ask(engine)[0].text
    with EngineStarter() as starter, pytest.raises(ModelError, match="cannot load"):
        nowhere = starter.open(engine._path.with_name("none.gguf"), SETTINGS, remember=COLD)
        nowhere.__enter__()


def test_another_draft_mode(engine):
    engine.use_draft("off")
    assert (engine.standing.mode, ask(engine)[0].statistics.drafted) == ("off", 0)
    engine.use_draft("recycling")
    assert ask(engine)[0].statistics.drafted > 0


@posix
def test_a_crash_ends_one_answer_in_one_line_and_is_remembered(engine, model):
    answer, seen = new_answer(0), ""
    with pytest.raises(CrashError) as crash:
        for event in engine.answer(TURNS, sampling_of(SETTINGS, 0), None, answer):
            if isinstance(event, Delta):
                seen += event.whole.text
                os.kill(engine._process._process.pid, signal.SIGSEGV)
    assert str(crash.value).startswith("llama.cpp crashed while it wrote the answer: a segmentation fault")
    assert "\n" not in str(crash.value) and answer.text == seen
    assert not engine.alive
    known = known_crash(model)
    assert known is not None and not known.loading and "segmentation" in known.what
    with pytest.raises(CrashError):
        ask(engine)
    with EngineStarter() as starter, starter.open(model, SETTINGS, remember=COLD) as again:
        ask(again)
    assert known_crash(model) is None


@posix
def test_an_engine_killed_from_outside_is_no_fault_of_the_file(engine, model):
    os.kill(engine._process._process.pid, signal.SIGKILL)
    with pytest.raises(CrashError, match="most likely for want of memory"):
        ask(engine)
    assert known_crash(model) is None


@posix
def test_closing_does_not_wait_for_what_a_dead_engine_would_save(engine, monkeypatch):
    monkeypatch.setattr(engine_process, "CLOSING_S", 60.0)
    os.kill(engine._process._process.pid, signal.SIGKILL)
    with pytest.raises(CrashError):
        ask(engine)
    closing = threading.Thread(target=engine._process.close, args=(print,))
    closing.start()
    closing.join(30)
    assert not closing.is_alive()


@posix
def test_what_never_returns_is_ended_after_a_stop(engine, monkeypatch):
    monkeypatch.setattr(engine_process, "GRACE_S", 0.2)
    os.kill(engine._process._process.pid, signal.SIGSTOP)
    with pytest.raises(CrashError, match="did not stop within"):
        ask(engine, stop=lambda: True)
    assert not engine.alive


def test_loading_is_given_up_when_nobody_wants_it(model):
    with (
        EngineStarter() as starter,
        pytest.raises(ModelError),
        starter.open(model, SETTINGS, progress=lambda fraction: False, remember=COLD),
    ):
        pass


def test_a_process_ends_with_the_program_that_started_it():
    process = engine_process.EngineProcess()
    assert process._process.stdin is not None
    process._process.stdin.close()  # as when the program is killed
    end = time.monotonic() + 60
    while process.alive and time.monotonic() < end:
        time.sleep(0.05)
    assert not process.alive


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["text", "finish", "token_ids", "prompt_s", "statistics"]),
            st.text(max_size=3),
            st.integers(0, 9),
        )
    )
)
def test_every_change_of_an_answer_is_passed_on(changes):
    answer, copy = Answer(0), Answer(0)
    growth = Growth(answer)
    for name, text, number in changes:
        match name:
            case "text":
                answer.text = answer.text[: -number or None] + text
            case "finish":
                answer.finish = text
            case "token_ids":
                answer.token_ids += [number] * number
            case "statistics":
                answer.statistics.steps += number
            case _:
                answer.prompt_s = number
        apply(growth.changes(), copy)
        assert copy == answer


ABORTED = [
    "load_tensors: loading",
    "/build/llama.cpp/src/llama-model.cpp:1234: GGML_ASSERT(n_head > 0) failed",
]
THROWN = ["terminate called after throwing an instance of 'std::bad_alloc'", "  what():  std::bad_alloc"]


@pytest.mark.parametrize(
    ("code", "printed", "told"),
    [
        (-6, ABORTED, "GGML_ASSERT(n_head > 0) failed (llama-model.cpp:1234)"),
        (-6, THROWN, "std::bad_alloc: std::bad_alloc"),
        (-11, ["graph_reserve: \x1b[31mreserving", ""], "a segmentation fault (its log ends with: graph_"),
        (-8, [], "an arithmetic fault"),
        (0xC0000005, [], "an access violation"),
        (-0x3FFFFFFB, [], "an access violation"),
        (7, ["so long"], "its process ended with code 7 (its log ends with: so long)"),
    ],
)
@posix
def test_an_end_is_told_in_words(code, printed, told):
    line = describe_end(code, "while it loaded the model", printed)
    assert line.startswith(f"llama.cpp crashed while it loaded the model: {told}")
    assert line.isprintable()
