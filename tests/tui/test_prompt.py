"""Writing the question: lines, pasting, recalling, completing, attaching."""

from textual.events import Paste

from tests.tui.scripted_engine import STOP_HERE, ScriptedEngine


def test_ctrl_j_breaks_the_line_and_the_field_grows(run_chat):
    async def test(chat):
        low = chat.screen.prompt.size.height
        await chat.pilot.press("a", "ctrl+j", "b", "ctrl+j", "c")
        assert chat.screen.prompt.text == "a\nb\nc"
        await chat.until(lambda: chat.screen.prompt.size.height == low + 2)
        chat.screen.prompt.put("line\n" * 20)
        await chat.until(lambda: chat.screen.prompt.size.height == 10)
        assert chat.messages == []

    run_chat(test)


def test_a_pasted_block_is_one_message_and_its_controls_are_symbols(run_chat):
    async def test(chat):
        chat.app.post_message(Paste("one\r\ntwo\x1b[31m\n"))
        await chat.pilot.pause()
        await chat.pilot.press("enter")
        await chat.until(lambda: len(chat.messages) == 2)
        assert chat.messages[0] == ("user", "one\ntwo␛[31m\n")

    run_chat(test)


def test_up_recalls_earlier_questions_and_down_the_unsent_one(run_chat):
    async def test(chat):
        await chat.send("first")
        await chat.send("second")
        chat.screen.prompt.put("unsent")
        seen = []
        for key in ("up", "up", "up", "down", "down", "down"):
            await chat.pilot.press(key)
            seen.append(chat.screen.prompt.text)
        assert seen == ["second", "first", "first", "second", "unsent", "unsent"]

    run_chat(test)


def test_up_moves_the_cursor_first(run_chat):
    async def test(chat):
        await chat.send("earlier")
        chat.screen.prompt.put("one\ntwo")
        await chat.pilot.press("up")
        assert chat.screen.prompt.text == "one\ntwo"
        await chat.pilot.press("up")
        assert chat.screen.prompt.text == "earlier"

    run_chat(test)


def test_an_empty_prompt_sends_nothing(run_chat):
    async def test(chat):
        await chat.send("  \n ")
        assert chat.messages == []

    run_chat(test)


def test_tab_completes_commands(run_chat):
    async def test(chat):
        await chat.pilot.press("/", "r")
        await chat.sees("/rename", "/regen")
        await chat.pilot.press("tab")
        assert chat.screen.prompt.text == "/re"
        await chat.pilot.press("g", "tab")
        assert chat.screen.prompt.text == "/regen "

    run_chat(test)


def test_tab_completes_what_a_command_takes_and_more_than_fits_is_said(run_chat):
    async def test(chat):
        await chat.pilot.press("/")
        await chat.sees("tab: /help /new", "/copy …")
        await chat.pilot.press(*"set te", "tab")
        await chat.sees("tab: template temp")
        assert chat.screen.prompt.text == "/set temp"
        await chat.pilot.press("ctrl+u", *"/draft l", "tab", "enter")
        await chat.until(lambda: chat.session.settings.draft == "lookup")

    run_chat(test)


def test_a_file_is_completed_attached_and_sent_once(run_chat, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("Line with ``` in it\n")
    (tmp_path / "other").mkdir()

    async def test(chat):
        await chat.pilot.press(*"/attach no", "tab")
        assert chat.screen.prompt.text == "/attach notes.txt "
        await chat.pilot.press("enter")
        await chat.sees("attached: notes.txt")
        await chat.send("What?")
        await chat.send("And?")
        assert chat.messages[0] == ("user", "notes.txt:\n````\nLine with ``` in it\n````\n\nWhat?")
        assert chat.messages[2] == ("user", "And?")

    run_chat(test)


def test_what_goes_along_is_told_until_it_is_sent(run_chat, tmp_path):
    (tmp_path / "notes.txt").write_text("flour")

    async def test(chat):
        await chat.send("Hi")
        await chat.send(f"/attach {tmp_path}/notes.txt")
        await chat.sees("attached: notes.txt")
        await chat.pilot.press("/", "h")
        await chat.sees("tab: /help")
        await chat.pilot.press("backspace", "backspace")
        await chat.sees("attached: notes.txt")
        await chat.pilot.press("f2", "escape")
        await chat.sees("attached: notes.txt")
        await chat.send("Ho")
        assert "attached:" not in chat.text
        assert chat.messages[2] == ("user", "notes.txt:\n```\nflour\n```\n\nHo")

    run_chat(test)


def test_a_refused_question_is_put_above_what_was_begun_meanwhile(run_chat):
    async def test(chat):
        await chat.send("One", wait=False)
        await chat.at_stop()
        chat.screen.prompt.put("Two")
        chat.screen.prompt.action_send()
        chat.screen.prompt.put("Three")
        await chat.sees("an answer is being written")
        assert chat.screen.prompt.text == "Two\nThree"
        chat.engine.go_on.set()

    run_chat(test, ScriptedEngine([["one ", STOP_HERE, "end"]]))


def test_binary_huge_and_missing_files_are_refused_with_a_reason(run_chat, tmp_path):
    (tmp_path / "binary").write_bytes(b"\x00\x01")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(2_000_000)

    async def test(chat):
        for name, reason in (
            ("binary", "binary"),
            ("huge", "too large"),
            ("none", "No such file"),
            ("", "folder"),
        ):
            await chat.send(f"/attach {tmp_path}/{name}")
            await chat.sees(reason)
        await chat.send("Hi")
        assert chat.messages[0] == ("user", "Hi")

    run_chat(test, size=(160, 40))


def test_unknown_commands_are_explained_and_a_doubled_slash_is_text(run_chat):
    async def test(chat):
        await chat.send("/modle")
        await chat.sees("did you mean /model?")
        await chat.send("//not a command")
        assert chat.messages[0] == ("user", "/not a command")
        await chat.send("/usr/lib is full")
        assert chat.messages[2] == ("user", "/usr/lib is full")

    run_chat(test)


def test_typing_is_possible_while_the_model_loads(run_chat):
    """The question waits for the model and is answered when it is there."""
    import threading
    from contextlib import contextmanager

    engine = ScriptedEngine()
    gate = threading.Event()
    inner = engine.opener

    @contextmanager
    def slow(path, settings, ctx, progress, tell):
        progress(0.25)
        assert gate.wait(20)
        with inner(path, settings, ctx, progress, tell) as opened:
            yield opened

    async def test(chat):
        await chat.sees("loading")
        await chat.pilot.press(*"Hi")
        await chat.pilot.press("enter")
        await chat.sees("waiting for the model")
        gate.set()
        await chat.sees("Hello world.")

    engine.opener = slow
    run_chat(test, engine, wait=False)


def test_shift_enter_breaks_the_line_where_the_terminal_tells_it(run_chat):
    from textual._xterm_parser import XTermParser

    events = [event for event in XTermParser().feed("\x1b[13;2u") if hasattr(event, "key")]
    assert [event.key for event in events] == ["shift+enter"]

    async def test(chat):
        await chat.pilot.press("a")
        chat.app.post_message(events[0])
        await chat.pilot.press("b")
        await chat.until(lambda: chat.screen.prompt.text == "a\nb")
        assert chat.messages == []

    run_chat(test)


def test_what_is_typed_before_the_prompt_has_the_focus_is_kept(run_chat):
    async def test(chat):
        chat.screen.set_focus(None)
        await chat.pilot.press("h", "i")
        await chat.until(lambda: chat.screen.prompt.text == "hi")
        assert chat.app.focused is chat.screen.prompt

    run_chat(test)
