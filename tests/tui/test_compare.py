"""The A/B key: the same prompt with drafts off, both speeds side by side."""

from tests.tui.scripted_engine import STOP_HERE, ScriptedEngine


def test_an_answer_is_compared_with_plain_decoding(run_chat):
    async def test(chat):
        await chat.send("Hi")
        await chat.pilot.press("ctrl+t")
        await chat.sees("A/B draft auto 200.0 tokens/s", "draft off", "1.00x over 4 tokens")
        await chat.sees("the texts are identical")
        assert chat.engine.mode == "auto"
        assert chat.messages == [("user", "Hi"), ("assistant", "Hello world.")]

    run_chat(test)


def test_texts_that_differ_are_told_apart(run_chat):
    async def test(chat):
        await chat.send("Hi")
        await chat.pilot.press("ctrl+t")
        await chat.sees("the texts part after 6 characters")

    run_chat(test, ScriptedEngine([["Hello ", "world."], ["Hello ", "there."]]))


def test_it_is_asked_as_it_was_asked_then(run_chat):
    async def test(chat):
        await chat.send("Hi")
        await chat.send("/set temp 1.5")
        await chat.send("/system Another one.")
        await chat.pilot.press("ctrl+t")
        await chat.sees("the texts are identical")
        first, second = chat.engine.sampled
        assert (first.temperature, first.seed) == (second.temperature, second.seed)
        assert chat.engine.prompts[0] == chat.engine.prompts[1]

    run_chat(test)


def test_a_comparison_can_be_stopped(run_chat):
    async def test(chat):
        await chat.send("Hi")
        await chat.pilot.press("ctrl+t")
        await chat.at_stop()
        await chat.pilot.press("escape")
        chat.engine.go_on.set()
        await chat.sees("over 4 tokens; the texts are identical")

    run_chat(test, ScriptedEngine([["Hello ", "wor", "ld."], ["Hello ", STOP_HERE, "wor", "ld."]]))


def test_without_an_answer_there_is_nothing_to_compare(run_chat):
    async def test(chat):
        await chat.pilot.press("ctrl+t")
        await chat.sees("there is no answer yet")

    run_chat(test)
