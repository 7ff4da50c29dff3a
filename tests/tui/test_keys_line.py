"""The last line: which keys it shows, and when."""

import pytest

from tests.tui.scripted_engine import STOP_HERE, ScriptedEngine

CUT = [["Hello ", STOP_HERE, "world."]]


def keys(chat):
    return [key.strip() for key in chat.text.rstrip("\n").split("\n")[-1].strip().split("  ")]


@pytest.mark.parametrize("width", [20, 40, 100])
def test_while_an_answer_is_written_the_key_that_stops_it_is_shown(run_chat, width):
    async def test(chat):
        assert "esc Stop" not in keys(chat)
        await chat.send("Hi", wait=False)
        await chat.at_stop()
        await chat.until(lambda: "esc Stop" in keys(chat))
        assert not {"^t Compare", "^r Regenerate", "^n New"} & set(keys(chat)), "these would be refused now"
        chat.engine.go_on.set()
        await chat.until(lambda: "esc Stop" not in keys(chat))

    run_chat(test, ScriptedEngine(CUT), size=(width, 20))


def test_a_comparison_and_an_answer_that_goes_on_can_be_stopped_too(run_chat):
    async def test(chat):
        await chat.send("Hi")
        for key in ("ctrl+g", "ctrl+t"):
            if key == "ctrl+t":
                await chat.send("Ho")
            await chat.pilot.press(key)
            await chat.at_stop()
            await chat.until(lambda: "esc Stop" in keys(chat))
            chat.engine.go_on.set()
            await chat.until(lambda: "esc Stop" not in keys(chat))
            chat.engine.go_on.clear()

    says = [["Hello "], ["wor", STOP_HERE, "ld."], ["Hello "], ["Hel", STOP_HERE, "lo "]]
    run_chat(test, ScriptedEngine(says, finish="length"))
