"""Asking, stopping, continuing, copying, comparing: as a user does it, on a scripted engine."""

from tests.tui.scripted_engine import STOP_HERE, ScriptedEngine
from trchat.chat.template import Turn
from trchat.errors import TrchatError
from trchat.storage.conversations import open_history


def stored(path_warn=print):
    store = open_history(path_warn)
    latest = store.kept()
    thread = store.thread(latest.id)
    store.close()
    return [(each.role, each.text, each.finish_reason) for each in thread]


def test_a_question_is_answered_shown_and_saved(run_chat):
    async def test(chat):
        assert chat.app.focused is chat.screen.prompt
        await chat.pilot.press(*"Hi")
        await chat.pilot.press("enter")
        await chat.idle()
        assert chat.messages == [("user", "Hi"), ("assistant", "Hello world.")]
        await chat.sees("Hello world.")
        assert chat.screen.prompt.text == ""
        await chat.sees("context 5 of 4,096 · 200.0 tokens/s")

    run_chat(test)
    assert stored() == [("user", "Hi", None), ("assistant", "Hello world.", "stop")]


def test_keys_that_come_all_at_once_act_in_their_order(run_chat):
    async def test(chat):
        keys = ["o", "x", "backspace", "k", "enter", "n", "o", "ctrl+u", "y", "e", "s", "enter", "!"]
        for key in keys:  # all in the queue before any is handled
            chat.app.post_message(_key(key))
        await chat.until(lambda: len(chat.engine.prompts) == 2)
        await chat.idle()
        assert [text for role, text in chat.messages if role == "user"] == ["ok", "yes"]
        # The second waits for the end of the first.
        assert chat.screen.prompt.text.endswith("!")

    run_chat(test)


def _key(name):
    from textual.events import Key

    return Key(name, name if len(name) == 1 else None)


def test_the_answer_streams_before_it_is_complete(run_chat):
    async def test(chat):
        await chat.send("Hi", wait=False)
        await chat.at_stop()
        await chat.sees("First part")
        assert "second" not in chat.text
        chat.engine.go_on.set()
        await chat.idle()
        await chat.sees("First part second")

    run_chat(test, ScriptedEngine([["First part ", STOP_HERE, "second"]]))


def test_escape_stops_and_keeps_the_partial_answer(run_chat):
    async def test(chat):
        await chat.send("Hi", wait=False)
        await chat.at_stop()
        await chat.pilot.press("escape")
        chat.engine.go_on.set()
        await chat.idle()
        await chat.sees("stopped")
        await chat.send("Again?")
        assert chat.engine.prompts[-1] == [("user", "Hi"), ("assistant", "Half an x"), ("user", "Again?")]

    run_chat(test, ScriptedEngine([["Half an ", STOP_HERE, "x", "answer"], ["Yes."]]))
    # The step that was under way when the stop came is kept.
    assert stored()[1] == ("assistant", "Half an x", "cancelled")


def test_ctrl_c_stops_too_and_does_not_leave(run_chat):
    async def test(chat):
        await chat.send("Hi", wait=False)
        await chat.at_stop()
        await chat.pilot.press("ctrl+c")
        chat.engine.go_on.set()
        await chat.idle()
        await chat.pilot.press("ctrl+c")
        assert chat.app.is_running
        assert chat.session.thread.messages[-1].finish_reason == "cancelled"

    run_chat(test, ScriptedEngine([["Half ", STOP_HERE, "x", "y"]]))


def test_quitting_while_it_writes_saves_what_there_is(run_chat):
    async def test(chat):
        await chat.send("Hi", wait=False)
        await chat.at_stop()
        await chat.pilot.press("ctrl+q")
        chat.engine.go_on.set()

    run_chat(test, ScriptedEngine([["Half an answer ", STOP_HERE, "x", "y"]]))
    role, text, finish = stored()[1]
    assert (role, finish) == ("assistant", "cancelled")
    assert text.startswith("Half an answer ")


def test_a_cut_answer_is_continued_in_its_place(run_chat):
    async def test(chat):
        await chat.send("Count")
        await chat.sees("/continue goes on")
        chat.engine.finish = "stop"
        await chat.pilot.press("ctrl+g")
        await chat.idle()
        assert chat.engine.openings == [None, Turn("assistant", "one two ")]
        assert chat.messages == [("user", "Count"), ("assistant", "one two three")]
        await chat.sees("one two three")
        message = chat.session.thread.messages[-1]
        assert (message.prompt_tokens, message.completion_tokens) == (1, 6)  # no token is counted twice
        await chat.send("/continue")
        assert len(chat.engine.prompts) == 2  # it is complete now

    run_chat(test, ScriptedEngine([["one ", "two "], ["three"]], finish="length"))


def test_reasoning_folds_away(run_chat):
    async def test(chat):
        await chat.send("Hi")
        message = chat.session.thread.messages[-1]
        assert (message.reasoning, message.text) == ("secret thought", "Answer.")
        await chat.sees("Answer.", "Reasoning")
        assert "secret" not in chat.text

    run_chat(test, ScriptedEngine([["<think>", "secret ", "thought", "</think>", "Answer."]]))


def test_reasoning_that_was_cut_is_continued_as_reasoning(run_chat):
    async def test(chat):
        await chat.send("Hi")
        chat.engine.finish = "stop"
        await chat.pilot.press("ctrl+g")
        await chat.at_stop()
        assert chat.engine.openings == [None, Turn("assistant", "", "secret")]
        await chat.sees("Answer.")
        assert "thought" not in chat.text
        chat.engine.go_on.set()
        await chat.idle()
        message = chat.session.thread.messages[-1]
        assert (message.reasoning, message.text) == ("secret thought", "Answer. All of it.")

    script = [["<think>", "secret"], [" thought", "</think>", "Answer. ", STOP_HERE, "All of it."]]
    run_chat(test, ScriptedEngine(script, finish="length"))


def test_copying_says_what_was_copied(run_chat, monkeypatch):
    copied = []
    monkeypatch.setattr(
        "trchat.tui.screens.answer_actions.copy_natively", lambda text: copied.append(text) or "a-program"
    )

    async def test(chat):
        await chat.send("Code?")
        await chat.pilot.press("f8")
        await chat.sees("Copied the message")
        await chat.send("/copy 1")
        await chat.until(lambda: len(copied) == 2)
        assert copied == ["Look:\n```python\nx = 1\n```\n", "x = 1"]

    run_chat(test, ScriptedEngine([["Look:\n```python\nx = 1\n```\n"]]))


def test_without_a_clipboard_program_the_terminal_is_asked(run_chat, monkeypatch):
    monkeypatch.setattr("trchat.tui.screens.answer_actions.copy_natively", lambda text: None)

    async def test(chat):
        await chat.send("Hi")
        await chat.pilot.press("f8")
        await chat.sees("Copied the message")
        assert chat.app.clipboard == "Hello world."

    run_chat(test)


def test_a_failing_decode_becomes_a_message_and_the_chat_goes_on(run_chat):
    async def test(chat):
        await chat.send("Hi")
        await chat.sees("llama.cpp gave up")
        assert chat.session.thread.messages[-1].finish_reason == "error"
        assert chat.session.thread.messages[-1].text == "So far "
        await chat.send("Again")
        await chat.sees("Fine now.")

    run_chat(test, ScriptedEngine([["So far ", TrchatError("llama.cpp gave up"), "x"], ["Fine now."]]))


def test_out_of_memory_becomes_a_message(run_chat):
    async def test(chat):
        await chat.send("Hi")
        await chat.sees("not enough memory")

    run_chat(test, ScriptedEngine([[MemoryError(), "x"]]))


def test_a_comparison_shows_both_speeds_and_that_the_texts_agree(run_chat):
    async def test(chat):
        await chat.send("Hi")
        before = chat.engine.mode
        await chat.pilot.press("ctrl+t")
        await chat.idle()
        await chat.sees("texts are identical", "draft off")
        assert chat.engine.mode == before
        assert chat.engine.sampled[0].seed == chat.engine.sampled[1].seed
        assert len(chat.messages) == 2

    run_chat(test, ScriptedEngine([["Same."]]))


def test_a_comparison_that_differs_says_where(run_chat):
    async def test(chat):
        await chat.send("Hi")
        await chat.pilot.press("ctrl+t")
        await chat.idle()
        await chat.sees("differ after 3 characters")

    run_chat(test, ScriptedEngine([["abcd"], ["abcx"]]))


def test_while_it_thinks_the_status_says_so(run_chat):
    async def test(chat):
        await chat.send("Hi", wait=False)
        await chat.at_stop()
        await chat.sees("thinking", "Reasoning")
        chat.engine.go_on.set()
        await chat.at_stop()
        await chat.sees("writing", "Answer.")
        chat.engine.go_on.set()
        await chat.idle()

    script = ["<think>", "secret ", STOP_HERE, "thought", "</think>", "Answer.", STOP_HERE, "!"]
    run_chat(test, ScriptedEngine([script]))


def test_reasoning_can_be_unfolded(run_chat):
    async def test(chat):
        await chat.send("Hi")
        chat.screen.query_one("Collapsible CollapsibleTitle").focus()
        await chat.pilot.press("enter")
        await chat.sees("secret thought")

    run_chat(test, ScriptedEngine([["<think>", "secret ", "thought", "</think>", "Answer."]]))


def test_an_answer_that_a_crash_cut_short_says_so(run_chat):
    store = open_history(print)
    number = store.create_conversation().id
    question = store.add_message(number, "user", "Hi")
    store.update_answer(store.begin_answer(question.id, "model", {}).id, "Half of it", None)
    store.close()

    async def test(chat):
        await chat.sees("Half of it", "interrupted")

    run_chat(test, continue_id=0)


def test_while_the_next_answer_is_waited_for_the_last_ones_speed_is_gone(run_chat):
    async def test(chat):
        await chat.send("Hi")
        await chat.sees("tokens/s")
        await chat.send("Ho", wait=False)
        await chat.at_stop()
        assert "tokens/s" not in chat.screen.status.visual.plain
        assert "context 5 of 4,096" in chat.screen.status.visual.plain
        assert "thinking" not in chat.words
        chat.engine.go_on.set()
        await chat.idle()
        await chat.sees("tokens/s")

    run_chat(test, ScriptedEngine([["Hello ", "world."], [STOP_HERE, "Yes."]]))


def test_the_status_line_keeps_what_matters_most_where_it_is_narrow(run_chat):
    async def test(chat):
        await chat.send("/system Answer as a pirate.")
        await chat.send("/persona-save pirate")
        await chat.send("Hi")
        line = chat.screen.status.visual.plain
        model = chat.session.prepared.model.name
        assert line.startswith(f"{model} · pirate ") and line.endswith("of 4,096 · 200.0 tokens/s")
        await chat.pilot.resize_terminal(40, 20)
        await chat.until(lambda: len(chat.screen.status.visual.plain) <= 40)
        assert chat.screen.status.visual.plain.endswith("200.0 tokens/s")
        assert chat.screen.status.visual.plain.startswith(model[:8])

    run_chat(test, size=(120, 30))


def test_another_conversation_begins_with_an_empty_lens(run_chat):
    async def test(chat):
        await chat.pilot.press("ctrl+l")
        await chat.send("Hi")
        await chat.sees("wor 90% ✓")
        await chat.send("/new")
        await chat.until(lambda: "wor 90%" not in chat.words)

    run_chat(test, size=(130, 45))


def test_words_that_come_while_the_chat_closes_are_nobody_s(run_chat):
    """What closes an app takes the parts of a message away before the message."""

    async def test(chat):
        await chat.send("Hi", wait=False)
        await chat.at_stop()
        (view,) = chat.screen.transcript.answers()
        await view.remove_children()
        chat.engine.go_on.set()
        await chat.idle()
        assert chat.messages[-1] == ("assistant", "one two")

    run_chat(test, ScriptedEngine([["one ", STOP_HERE, "two"]]))
