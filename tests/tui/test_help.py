"""The page of keys and commands."""

import pytest


def test_help_is_read_in_a_narrow_window(run_chat):
    async def test(chat):
        await chat.pilot.press("f1")
        await chat.sees("enter Send the question, or run the command (send)")
        page = [line.strip() for line in str(chat.app.screen.query_one("#help").visual).splitlines()]
        assert page[page.index("/undo") + 1] == "Restore the conversation deleted last"

    run_chat(test, size=(40, 10))


def test_help_shows_keys_and_commands(run_chat):
    async def test(chat):
        await chat.pilot.press("f1")
        await chat.sees("ctrl+l", "/attach FILE", "Regenerate the last answer on a new branch (regenerate)")
        await chat.sees("ctrl+j, shift+enter, alt+enter Add a line (newline)")
        await chat.pilot.press("escape")
        await chat.until(lambda: chat.app.screen is chat.screen)

    run_chat(test, size=(120, 80))


@pytest.mark.parametrize("width", [80, 100, 120])
def test_what_a_command_does_stays_in_its_column(run_chat, width):
    async def test(chat):
        await chat.pilot.press("f1")
        await chat.sees("stop")
        page = chat.app.screen.query_one("#page").scrollable_content_region.width
        lines = str(chat.app.screen.query_one("#help").visual).splitlines()
        commands = lines[lines.index("Commands") + 1 : lines.index("", lines.index("Commands"))]
        assert max(len(line) for line in commands) <= page
        assert all(line[:40].startswith("  /") or not line[:40].strip() for line in commands)

    run_chat(test, size=(width, 30))
