"""Hostile text, odd sizes, long answers."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from tests.tui.scripted_engine import STOP_HERE, ScriptedEngine
from trchat.session.news import Notice
from trchat.storage.conversations import open_history
from trchat.tui.app import TrchatApp

HOSTILE = (
    "[bold red]markup[/] \x1b[31mred\x1b]0;title\x07 \x9b2J &#x202e;rtl &#27;c "
    "<b>html</b> [link](file:///etc/passwd) \x00 \r over [/nothing]\n\n"
    "```\n\x1b[2J[/]\n```\n\n<script>x</script>\n"
)


def harmful(text):
    controls = {*range(0x20), *range(0x7F, 0xA0), 0x202E, 0x2066} - {ord("\n")}
    return [character for character in text if ord(character) in controls]


@pytest.mark.parametrize("lens", [False, True])
def test_hostile_answers_are_shown_as_symbols(run_chat, lens):
    async def test(chat):
        if lens:
            await chat.pilot.press("ctrl+l")
        await chat.send("/rename [bold]title[/] \x1b[2J")
        await chat.send(HOSTILE.replace("\n", " "))
        await chat.send("/rename [red]t[/red] \x1b[2J")
        await chat.sees("[bold red]markup[/]", "␛[31mred", "<b>html</b>", "[red]t[/red]")
        assert harmful(chat.text) == []
        assert "<script>" in chat.text
        segments = [seg for row in chat.app.screen._compositor.render_strips(chat.app.size) for seg in row]
        assert not any(seg.style and seg.style.link for seg in segments)
        await chat.pilot.press("ctrl+o")
        await chat.sees("Conversations")
        assert harmful(chat.text) == []

    run_chat(test, ScriptedEngine([[HOSTILE]]), size=(140, 50))


def test_hostile_errors_are_harmless(run_chat):
    async def test(chat):
        await chat.send("Hi")
        await chat.sees("[/] ␛[2J boom")
        assert harmful(chat.text) == []

    run_chat(test, ScriptedEngine([[RuntimeError("[/] \x1b[2J boom"), "x"]]))


def removed_elsewhere(chat):
    with closing(open_history(pytest.fail)) as store:
        store.remove(chat.session.thread.conversation.id)


def test_a_conversation_that_another_trchat_removes_while_it_is_answered(run_chat):
    async def test(chat):
        await chat.send("One", wait=False)
        await chat.at_stop()
        removed_elsewhere(chat)
        chat.engine.go_on.set()
        await chat.sees("This conversation was removed by another trchat", "Hello world.")
        await chat.send("Two")
        assert chat.messages == [("user", "Two"), ("assistant", "Hello world.")]
        assert "One" not in chat.text

    run_chat(test, ScriptedEngine([["Hello ", STOP_HERE, "world."], ["Hello world."]]))


def test_nothing_is_written_into_a_conversation_that_another_trchat_has_deleted(run_chat):
    async def test(chat):
        await chat.send("One")
        with closing(open_history(pytest.fail)) as store:
            store.delete(chat.session.thread.conversation.id)
        await chat.send("Two", wait=False)
        await chat.sees("another trchat deleted this conversation")
        assert chat.screen.prompt.text == "Two"
        await chat.pilot.press("enter")
        await chat.idle()
        assert chat.messages == [("user", "Two"), ("assistant", "Hello world.")]
        assert "One" not in chat.text

    run_chat(test)


def test_a_conversation_that_another_trchat_removes_while_it_is_shown(run_chat):
    async def test(chat):
        await chat.send("One")
        await chat.pilot.press("ctrl+o")
        await chat.sees("Conversations", "One")
        removed_elsewhere(chat)
        await chat.pilot.press("f2")
        await chat.sees("No conversation matches")
        await chat.pilot.press("escape")
        await chat.until(lambda: chat.messages == [])
        await chat.send("/rename it")
        await chat.sees("no conversation yet")

    run_chat(test)


def test_what_nobody_foresaw_ends_the_chat_without_printing_the_conversation(run_chat, monkeypatch):
    def fails(_argument):
        raise ValueError("nobody foresaw this")

    async def test(chat):
        monkeypatch.setattr(chat.session, "ask", fails)
        await chat.send("Hi", wait=False)
        await chat.until(lambda: chat.app.failure is not None)
        assert chat.app._exit_renderables == []

    with pytest.raises(ValueError, match="nobody foresaw this"):
        run_chat(test)


@pytest.mark.parametrize("size", [(40, 10), (300, 80)])
def test_odd_sizes_stay_usable(run_chat, size):
    async def test(chat):
        await chat.send("Hi there")
        await chat.sees("Hello world.", "200.0 tokens/s")
        await chat.pilot.press("ctrl+l")
        await chat.pilot.pause()
        assert chat.screen.prompt.region.height >= 1
        assert chat.screen.prompt.region.bottom < size[1]
        await chat.pilot.press("ctrl+l", "ctrl+o")
        await chat.sees("Hi there")

    run_chat(test, size=size)


def test_resizing_keeps_everything(run_chat):
    async def test(chat):
        await chat.send("Hi")
        for size in ((40, 10), (300, 80), (100, 30)):
            await chat.pilot.resize_terminal(*size)
            await chat.sees("Hello world.")

    run_chat(test)


def test_a_very_long_answer_is_complete_and_can_be_scrolled(run_chat):
    paragraphs = [f"Paragraph {number} with *some* `code`.\n\n" for number in range(1500)]
    words = ["".join(paragraphs[start : start + 50]) for start in range(0, 1500, 50)]

    async def test(chat):
        await chat.send("Long")
        await chat.sees("Paragraph 1499")
        body = chat.screen.transcript.answers()[-1]._body
        assert sum(line.startswith("Paragraph") for line in body.lines) == 1500
        chat.screen.transcript.scroll_home(animate=False)
        await chat.sees("Paragraph 0 with some code.")

    run_chat(test, ScriptedEngine([words]))


def test_the_view_follows_unless_the_user_has_scrolled_up(run_chat):
    first = [f"line {number}\n\n" for number in range(60)]

    async def test(chat):
        await chat.send("Long", wait=False)
        await chat.at_stop()
        await chat.sees("line 59")
        await chat.pilot.press("pageup", "pageup")
        await chat.pilot.pause()
        before = chat.screen.transcript.scroll_y
        chat.engine.go_on.set()
        await chat.at_stop()
        await chat.until(lambda: "the end" in "".join(chat.screen.transcript.answers()[-1]._body.lines))
        assert chat.screen.transcript.scroll_y == before
        chat.engine.go_on.set()
        await chat.idle()

    run_chat(test, ScriptedEngine([[*first, STOP_HERE, *first, "the end", STOP_HERE, "."]]))


def test_what_stays_is_what_a_fresh_drawing_gives(run_chat):
    text = "# Title\n\n1. one\n2. two\n\n   more\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
    text += "> quote\n\n```py\nx = 1\n\ny = 2\n```\n\nend"

    async def test(chat):
        await chat.send("Markdown")
        await chat.sees("end")
        from trchat.tui.widgets.answer_body import AnswerBody

        streamed = chat.screen.transcript.answers()[-1]._body
        fresh = AnswerBody(text)
        await streamed.parent.mount(fresh)  # as wide, once both have made room for a scroll bar
        await chat.until(lambda: fresh.lines and fresh.lines == streamed.lines)

    run_chat(test, ScriptedEngine([list(text)]))


def test_nothing_moves_when_an_answer_is_complete(run_chat):
    async def test(chat):
        await chat.send("Hi", wait=False)
        await chat.at_stop()
        await chat.sees("line 59")
        rows = chat.text.split("\n")
        before = next(row for row, text in enumerate(rows) if "line 59" in text)
        chat.engine.go_on.set()
        await chat.idle()
        await chat.sees("tokens/s")
        assert "line 59" in chat.text.split("\n")[before]

    run_chat(test, ScriptedEngine([[*(f"line {number}\n\n" for number in range(60)), STOP_HERE, " "]]))


@pytest.mark.parametrize("width", [40, 80, 100, 300])
def test_keys_are_shown_whole(run_chat, width):
    async def test(chat):
        await chat.send("Hi")
        await chat.sees("f1 Help", "^q Quit")
        line = chat.text.rstrip("\n").split("\n")[-1]
        keys = [key.strip() for key in line.strip().split("  ")]
        labels = {
            f"{chat.app.get_key_display(each.binding)} {each.binding.description}"
            for each in chat.screen.active_bindings.values()
        }
        assert set(keys) <= labels
        assert "esc Stop" not in keys

    run_chat(test, size=(width, 30))


def test_what_the_engine_says_before_the_screen_has_its_place_is_shown(run_chat, monkeypatch):
    """A quick machine loads the model while the app is still being put together."""

    def on_load(app):
        assert app.is_running and not app.chat.is_attached
        outbox = app.session.host.outbox
        with ThreadPoolExecutor(1) as engine:
            for news in (*outbox.take(), Notice("Said early.")):
                engine.submit(outbox.put, news).result()

    monkeypatch.setattr(TrchatApp, "on_load", on_load, raising=False)

    async def test(chat):
        await chat.sees("Said early.")

    run_chat(test)
