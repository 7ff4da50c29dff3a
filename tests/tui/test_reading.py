"""Reading: finding words, going to the end, copying one block of code, and colours that can be read."""

import pytest

from tests.tui.scripted_engine import ScriptedEngine
from trchat.storage.conversations import open_history
from trchat.tui.widgets.transcript import AT_ONCE


def long_conversation(messages=60):
    store = open_history(print)
    number = store.create_conversation("Long").id
    for index in range(messages):
        store.add_message(
            number, "user", f"Question {index}: {'where is the needle' if index == 3 else 'hay'}"
        )
    store.close()


def test_the_end_is_reached_by_keys_and_by_a_click(run_chat):
    long_conversation()

    async def test(chat):
        transcript = chat.screen.transcript
        await chat.until(lambda: transcript.max_scroll_y > 0)
        for how in ("ctrl+end", "end", "click"):
            await chat.pilot.press("pageup")
            await chat.sees("↓ more")
            if how == "click":
                await chat.pilot.click("#more")
            else:
                await chat.pilot.press(how)
            await chat.until(lambda: transcript.scroll_y == transcript.max_scroll_y)
            await chat.until(lambda: not chat.screen.more.display)

    run_chat(test, continue_id=0)


def test_words_are_found_in_the_conversation_however_far_up(run_chat):
    long_conversation()

    async def test(chat):
        await chat.pilot.press("ctrl+f", *"NEEDLE")
        await chat.sees("where is the needle", "1 of 1")
        await chat.pilot.press("ctrl+u", *"question 1")
        await chat.sees("11 of 11", "Question 19")
        await chat.pilot.press("up")
        await chat.sees("10 of 11")
        await chat.pilot.press("down", "down")
        await chat.until(lambda: chat.screen.find.border_subtitle == "1 of 11")
        await chat.sees("Question 1:")
        await chat.pilot.press("escape")
        await chat.until(lambda: chat.app.focused is chat.screen.prompt)
        assert not chat.screen.find.display

    run_chat(test, continue_id=0)


def test_found_words_are_marked_in_answers(run_chat):
    async def test(chat):
        await chat.send("Hi")
        await chat.pilot.press("ctrl+f", *"world")
        await chat.sees("1 of 1")
        strips = chat.app.screen._compositor.render_strips(chat.app.size)
        marked = [each.text for strip in strips for each in strip if each.style and each.style.reverse]
        assert "world" in marked

    run_chat(test)


def test_each_block_of_code_is_copied_by_number_or_click(run_chat, monkeypatch):
    copied = []
    monkeypatch.setattr(
        "trchat.tui.screens.answer_actions.copy_natively", lambda text: copied.append(text) or "a-program"
    )
    answer = "Two:\n\n```python\nx = 1\n```\n\n```sh\nls\n```\n"

    async def test(chat):
        await chat.send("Code?")
        await chat.sees("python", "copy: /copy 1", "copy: /copy 2")
        rows = chat.text.splitlines()
        row = next(y for y, line in enumerate(rows) if "copy: /copy 2" in line)
        await chat.pilot.click(offset=(rows[row].index("copy:"), row))
        await chat.until(lambda: copied == ["ls"])
        await chat.pilot.press("1")  # the message that was clicked on has the focus
        await chat.until(lambda: copied == ["ls", "x = 1"])

    run_chat(test, ScriptedEngine([[answer]]))


def luminance(color):
    parts = [part / 255 for part in color]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def hard_to_read(chat):
    """What is on the screen with less contrast than WCAG asks: 4.5 for text, 3 for lines and frames."""
    found = []
    for strip in chat.app.screen._compositor.render_strips(chat.app.size):
        for text, style, _ in strip:
            if not style or not style.color or not style.bgcolor or not set(text) - set(" ▁▂▃▄▅▆▇█"):
                continue
            least = 4.5 if any(map(str.isalnum, text)) else 3
            front, back = style.color.get_truecolor(), style.bgcolor.get_truecolor()
            if style.dim or contrast(front, back) < least:
                found.append((text, front.hex, back.hex, round(contrast(front, back), 2)))
    return found


@pytest.mark.parametrize("theme", ["trchat-dark", "trchat-light"])
def test_everything_written_can_be_read(run_chat, theme):
    answer = (
        "# Title\n\nText with `code`.\n\n```python\n# a comment\nx = f('a', 1)\n```\n\n> quoted\n\n- item\n"
    )

    async def test(chat):
        await chat.send(f"/theme {theme}")
        await chat.send("Hi")
        await chat.pilot.press("ctrl+l")
        await chat.sees("a comment", "Last draft")
        assert hard_to_read(chat) == []
        await chat.pilot.press("/")
        await chat.sees("Show all commands")
        assert hard_to_read(chat) == []
        await chat.pilot.press("ctrl+c", "ctrl+f", "escape", "ctrl+f")
        await chat.sees("esc Close", "Find in this conversation")
        assert hard_to_read(chat) == []
        if theme == "trchat-light":
            assert chat.screen.styles.background.hex == "#FFFFFF"

    run_chat(test, ScriptedEngine([[answer]]), size=(130, 50))


def test_nothing_invisible_is_drawn_beside_an_answer(run_chat):
    async def test(chat):
        await chat.send("Hi")
        line = next(line for line in chat.text.splitlines() if "Hello world." in line)
        assert line.strip() == "Hello world."

    run_chat(test)


def centred(chat):
    views = [view.region for view in chat.screen.transcript.views()]
    return all(left.x > 30 and abs(left.x - chat.app.size.width + left.right) <= 2 for left in views)


def test_text_is_centred_on_a_wide_screen(run_chat):
    async def test(chat):
        await chat.send("Hi")
        await chat.until(lambda: centred(chat))
        for lines in (3, 0):  # below the last message, as when something there has gone
            chat.screen.transcript.keep_room(lines)
            await chat.pilot.pause()
            await chat.until(lambda: centred(chat))
        chat.screen.transcript.say("something new")
        await chat.sees("something new")
        await chat.until(lambda: centred(chat))

    run_chat(test, size=(200, 40))


def test_text_below_earlier_messages_is_centred_too(run_chat):
    long_conversation(AT_ONCE + 1)

    async def test(chat):
        await chat.until(lambda: chat.screen.transcript.query_one("#earlier").display)
        await chat.until(lambda: centred(chat))

    run_chat(test, size=(200, 40), continue_id=0)
