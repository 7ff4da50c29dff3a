"""Answering again and editing questions, on branches of the conversation."""

from tests.tui.scripted_engine import ScriptedEngine


def test_regenerating_makes_a_branch_and_branches_can_be_switched(run_chat):
    async def test(chat):
        await chat.send("Hi")
        await chat.pilot.press("ctrl+r")
        await chat.idle()
        assert chat.messages == [("user", "Hi"), ("assistant", "two")]
        await chat.sees("‹ 2/2 ›", "alt+← Branch ‹")
        assert "Branch ›" not in chat.text
        await chat.pilot.press("alt+left")
        assert chat.messages == [("user", "Hi"), ("assistant", "one")]
        await chat.sees("‹ 1/2 ›", "one", "alt+→ Branch ›")
        await chat.send("/branch next")
        assert chat.messages[-1] == ("assistant", "two")

    run_chat(test, ScriptedEngine([["one"], ["two"]]))


def test_editing_a_question_asks_on_a_new_branch(run_chat):
    async def test(chat):
        await chat.send("Frist")
        await chat.send("Second")
        await chat.pilot.press("alt+up", "alt+up", "alt+up", "alt+up", "f2")
        assert chat.screen.prompt.text == "Frist"
        await chat.send("First")
        assert chat.messages == [("user", "First"), ("assistant", "c")]
        await chat.pilot.press("alt+left")
        assert [text for _, text in chat.messages] == ["Frist", "a", "Second", "b"]

    run_chat(test, ScriptedEngine([["a"], ["b"], ["c"]]))


def test_a_question_is_edited_in_its_own_conversation_only(run_chat):
    async def test(chat):
        await chat.send("Frist")
        await chat.pilot.press("f2")
        await chat.sees("Editing:")
        await chat.pilot.press("ctrl+n")
        await chat.until(lambda: chat.messages == [])
        assert chat.screen.prompt.text == "Frist"
        assert "Editing:" not in chat.text
        await chat.send("Other")
        assert chat.engine.prompts[-1] == [("user", "Other")]
        assert len(chat.session.thread.store.conversations()) == 2

    run_chat(test)


def test_what_was_begun_before_editing_comes_back_after_it(run_chat):
    async def test(chat):
        await chat.send("Frist")
        chat.screen.prompt.put("begun")
        await chat.pilot.press("f2", "escape")
        assert chat.screen.prompt.text == "begun"
        await chat.pilot.press("f2")
        await chat.send("First")
        assert chat.messages[0] == ("user", "First")
        assert chat.screen.prompt.text == "begun"

    run_chat(test)


def test_escape_leaves_editing(run_chat):
    async def test(chat):
        await chat.send("Hi")
        await chat.pilot.press("f2", "escape")
        assert chat.screen.prompt.text == ""
        await chat.send("New")
        assert chat.messages[2] == ("user", "New")

    run_chat(test)
