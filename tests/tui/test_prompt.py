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
        await chat.sees("/rename TITLE", "Regenerate the last answer")
        await chat.pilot.press("tab")
        assert chat.screen.prompt.text == "/re"
        await chat.pilot.press("g", "tab")
        assert chat.screen.prompt.text == "/regen"

    run_chat(test)


def test_commands_are_listed_with_what_they_do_and_arrows_choose(run_chat):
    async def test(chat):
        await chat.send("Hi")
        chat.screen.transcript.scroll_end(animate=False)
        await chat.pilot.pause()
        before = chat.screen.transcript.size, chat.screen.transcript.scroll_y
        await chat.pilot.press("/")
        await chat.sees("/help", "/conversations [WORDS]", "Search and open earlier conversations")
        assert (chat.screen.transcript.size, chat.screen.transcript.scroll_y) == before, "nothing moves"
        await chat.pilot.press("down", "down", "up", "enter")  # /new needs nothing more
        await chat.until(lambda: chat.messages == [])
        await chat.pilot.press(*"/pers", "down", "enter")  # /persona-save needs a name
        assert chat.screen.prompt.text == "/persona-save "
        await chat.pilot.press("escape", "escape", "/", "escape")
        assert chat.screen.prompt.text == "/", "the first escape closes the list only"
        assert not chat.screen.prompt.suggestions.display

    run_chat(test)


def test_a_command_that_is_not_whole_is_not_run_on_a_guess(run_chat):
    async def test(chat):
        await chat.send("Hi")
        await chat.send("/de")  # /delete or /detach
        await chat.sees("no such command: /de")
        assert len(chat.messages) == 2
        await chat.send("/hel")  # only /help
        await chat.sees("Keys", "Commands")

    run_chat(test)


def test_tab_completes_what_a_command_takes(run_chat, home):
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text('[personas]\npirate = "Answer as a pirate."\n')

    async def test(chat):
        await chat.pilot.press(*"/set tem", "tab")
        await chat.sees("template", "temp", "0 always takes the likeliest token")
        assert chat.screen.prompt.text == "/set temp"
        await chat.pilot.press("ctrl+u", *"/draft l", "tab", "enter")
        await chat.until(lambda: chat.session.settings.draft == "lookup")
        await chat.pilot.press(*"/persona p", "tab")
        await chat.sees("/persona pirate")
        await chat.pilot.press("enter")
        await chat.until(lambda: chat.session.system == "Answer as a pirate.")
        await chat.pilot.press(*"/theme dra", "tab", "enter")
        await chat.until(lambda: chat.app.theme == "dracula")

    run_chat(test)


def test_a_file_is_completed_attached_and_sent_once(run_chat, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("Line with ``` in it\n")
    (tmp_path / "other").mkdir()

    async def test(chat):
        await chat.pilot.press(*"/attach no", "tab")
        assert chat.screen.prompt.text == "/attach notes.txt"
        await chat.pilot.press("enter")
        await chat.sees("Attached: notes.txt (19 B, about 4 tokens) · /detach removes")
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
        await chat.sees("Attached: notes.txt")
        await chat.pilot.press("/", "h", "backspace", "backspace")
        await chat.sees("Attached: notes.txt")
        await chat.pilot.press("f2", "escape")
        await chat.sees("Attached: notes.txt")
        await chat.send("Ho")
        assert "Attached:" not in chat.text
        assert chat.messages[2] == ("user", "notes.txt:\n```\nflour\n```\n\nHo")

    run_chat(test)


def test_files_are_named_with_an_at_sign(run_chat, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("flour")
    (tmp_path / "novel.txt").write_text("Once.")

    async def test(chat):
        await chat.pilot.press(*"Sum up @no")
        await chat.sees("notes.txt", "novel.txt")
        await chat.pilot.press("down", "tab")
        assert chat.screen.prompt.text == "Sum up @novel.txt "
        await chat.pilot.press("enter")
        await chat.until(lambda: len(chat.messages) == 2)
        assert chat.messages[0][1] == "novel.txt:\n```\nOnce.\n```\n\nSum up @novel.txt "
        await chat.sees("▸ novel.txt (5 B, about 1 token)", "Sum up @novel.txt")

    run_chat(test)


def test_a_question_with_files_shows_them_as_a_line_and_is_edited_alone(run_chat, tmp_path):
    (tmp_path / "notes.txt").write_text("flour\n" * 500)

    async def test(chat):
        await chat.send(f"/attach {tmp_path}/notes.txt")
        await chat.send("How much?")
        await chat.sees("▸ notes.txt (3.0 kB, about 749 tokens)", "How much?")
        assert "flour" not in chat.text
        await chat.pilot.press("up")
        assert chat.screen.prompt.text == "How much?"
        chat.screen.prompt.put("")
        await chat.pilot.press("f2")
        assert chat.screen.prompt.text == "How much?"
        await chat.sees("Editing:", "Attached: notes.txt")
        await chat.pilot.press(*" Now", "enter")
        await chat.until(lambda: chat.messages[0][1].endswith("```\n\nHow much? Now"))
        assert chat.messages[0][1].startswith("notes.txt:\n```\nflour")
        await chat.idle()
        await chat.pilot.press("alt+up", "alt+up", "enter")
        await chat.sees("flour")

    run_chat(test)


def test_what_is_sent_while_an_answer_is_written_waits_for_its_end(run_chat):
    async def test(chat):
        await chat.send("One", wait=False)
        await chat.at_stop()
        for text in ("Two", "Three", "Four"):
            await chat.send(text, wait=False)
        await chat.sees("3 queued, last: Four · ↑ takes it back")
        await chat.pilot.press("up")
        assert chat.screen.prompt.text == "Four"
        await chat.sees("2 queued, last: Three")
        chat.engine.go_on.set()
        await chat.until(lambda: len(chat.messages) == 6)
        await chat.idle()
        assert [text for role, text in chat.messages if role == "user"] == ["One", "Two", "Three"]
        assert "ueued" not in chat.text
        assert chat.screen.prompt.text == "Four"

    run_chat(test, ScriptedEngine([["one ", STOP_HERE, "end"], ["Yes."]]))


def test_after_a_stop_what_was_queued_is_given_back(run_chat):
    async def test(chat):
        await chat.send("One", wait=False)
        await chat.at_stop()
        await chat.send("Two", wait=False)
        await chat.send("Three", wait=False)
        await chat.pilot.press("escape")
        chat.engine.go_on.set()
        await chat.idle()
        await chat.until(lambda: chat.screen.prompt.text == "Two\nThree")
        assert len(chat.messages) == 2

    run_chat(test, ScriptedEngine([["one ", STOP_HERE, "two ", "end"], ["Yes."]]))


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


def test_alt_enter_breaks_the_line_and_alt_letters_type_nothing(run_chat):
    from textual._xterm_parser import XTermParser

    def keys(sequence):
        parser = XTermParser()
        return [each for each in [*parser.feed(sequence), *parser.tick()] if hasattr(each, "key")]

    async def test(chat):
        await chat.pilot.press("a")
        for sequence in ("\x1b\r", "\x1b[13;3u", "\x1b[27;2;13~", "\x1bx", "\x1b1", "\x1b[57358u"):
            for event in keys(sequence):
                chat.app.post_message(event)
        await chat.pilot.press("b")
        await chat.until(lambda: chat.screen.prompt.text.endswith("b"))
        assert chat.screen.prompt.text == "a\n\n\nb"
        assert chat.messages == []

    run_chat(test)


def test_ctrl_c_and_escape_clear_a_draft_which_up_brings_back(run_chat):
    async def test(chat):
        await chat.pilot.press(*"draft", "ctrl+c")
        assert chat.screen.prompt.text == ""
        await chat.pilot.press("up")
        assert chat.screen.prompt.text == "draft"
        await chat.pilot.press("escape")
        assert chat.screen.prompt.text == ""
        assert chat.app.is_running

    run_chat(test)


def test_ctrl_c_twice_leaves(run_chat):
    async def test(chat):
        await chat.pilot.press("ctrl+c")
        await chat.sees("Press Ctrl+C again to quit")
        await chat.pilot.press("ctrl+c")
        await chat.until(lambda: chat.app._exit)

    run_chat(test)


def test_ctrl_z_suspends_and_another_key_undoes_typing(run_chat, monkeypatch):
    suspended = []
    monkeypatch.setattr("textual.app.App.action_suspend_process", lambda app: suspended.append(1))

    async def test(chat):
        await chat.pilot.press(*"ab", "ctrl+z")
        assert (suspended, chat.screen.prompt.text) == ([1], "ab")
        await chat.pilot.press("ctrl+underscore")
        assert chat.screen.prompt.text == ""

    run_chat(test)
