"""Conversations: opening, finding, renaming, deleting, saving, continuing at the next start."""

from textual import events

from trchat.config_file import load_config
from trchat.storage import message_rows
from trchat.storage.conversations import open_history


def test_a_conversation_is_found_by_its_words_and_opened(run_chat):
    async def test(chat):
        await chat.send("about apples")
        await chat.pilot.press("ctrl+n")
        await chat.send("about pears")
        await chat.pilot.press("ctrl+o")
        await chat.sees("about apples", "about pears")
        await chat.pilot.press(*"apples")
        await chat.until(lambda: chat.app.screen.query_one("#list").option_count == 1)
        await chat.pilot.press("enter")
        await chat.until(lambda: chat.messages[0] == ("user", "about apples"))
        await chat.sees("about apples")
        assert chat.app.focused is chat.screen.prompt

    run_chat(test)


def test_renaming_deleting_and_undoing_in_the_list(run_chat):
    async def test(chat):
        await chat.send("Hi")
        await chat.pilot.press("ctrl+o", "f2")
        await chat.sees("Rename")
        await chat.pilot.press("ctrl+a", "ctrl+k", *"Greeting", "enter")
        await chat.sees("Greeting")
        await chat.pilot.press("ctrl+d")
        await chat.until(lambda: chat.session.thread.store.conversations() == [])
        await chat.pilot.press("ctrl+r")
        await chat.until(
            lambda: [each.title for each in chat.session.thread.store.conversations()] == ["Greeting"]
        )
        await chat.pilot.press("escape")
        await chat.until(lambda: chat.app.screen is chat.screen)
        await chat.sees("Greeting")

    run_chat(test)


def test_keys_in_a_field_act_in_the_order_of_typing(run_chat):
    async def test(chat):
        await chat.send("First")
        await chat.pilot.press("ctrl+o")
        await chat.sees("Conversations", "First")
        await chat.pilot.press("f2")
        await chat.sees("Rename")
        for key in ("ctrl+u", *"Other"):  # faster than the app takes them
            chat.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await chat.pilot.pause()
        await chat.pilot.press("enter")
        await chat.until(lambda: chat.session.thread.store.conversations()[0].title == "Other")

    run_chat(test)


def test_deleting_by_command_begins_anew_and_undo_brings_it_back(run_chat):
    async def test(chat):
        await chat.send("Hi")
        await chat.send("/delete")
        assert chat.messages == [] and chat.session.thread.store.conversations() == []
        await chat.send("/undo")
        assert len(chat.session.thread.store.conversations()) == 1

    run_chat(test)


def test_saving_never_overwrites(run_chat, tmp_path):
    async def test(chat):
        await chat.send("Hi")
        await chat.send(f"/save {tmp_path}/chat.md")
        await chat.send(f"/save {tmp_path}/chat.md")
        await chat.sees("already exists")

    run_chat(test)
    text = (tmp_path / "chat.md").read_text("utf-8")
    assert "## You\n\nHi" in text and "Hello world." in text


def test_continue_resumes_the_last_conversation_with_its_system_prompt(run_chat):
    async def first(chat):
        await chat.send("Hi")

    async def second(chat):
        await chat.sees("Hi", "Hello world.")
        await chat.send("More")
        assert chat.engine.prompts[-1][0] == ("system", "Be brief.")
        assert [text for _, text in chat.messages] == [
            "Be brief.",
            "Hi",
            "Hello world.",
            "More",
            "Hello world.",
        ]

    run_chat(first, system="Be brief.")
    run_chat(second, continue_id=0)


def test_five_thousand_messages_open_at_once_and_earlier_ones_come_when_scrolled_to(run_chat):
    store = open_history(print)
    number = store.create_conversation("long").id

    def fill(db):
        parent = None
        for index in range(2500):
            parent = message_rows.insert(db, number, parent, "user", f"question {index}", 1.0).id
            parent = message_rows.insert(db, number, parent, "assistant", f"answer {index}", 1.0).id

    store._database.write(fill)
    store.close()

    async def test(chat):
        await chat.sees("answer 2499")
        assert len(chat.screen.transcript.query(".message")) == 20
        chat.screen.transcript.scroll_home(animate=False)
        await chat.until(lambda: len(chat.screen.transcript.query(".message")) == 40)
        chat.screen.transcript.scroll_page_up(animate=False)
        await chat.sees("answer 2489")
        await chat.send("one more")
        await chat.sees("one more", "Hello world.")
        assert chat.engine.prompts[-1][-1] == ("user", "one more")
        await chat.sees("are left out")
        assert len(chat.engine.prompts[-1]) < 5000

    run_chat(test, continue_id=0)


def test_personas_are_saved_and_used(run_chat):
    async def test(chat):
        await chat.send("/system Talk like a pirate.")
        await chat.send("/persona-save pirate")
        await chat.send("/system")
        await chat.send("/persona pirate")
        await chat.until(lambda: chat.session.system == "Talk like a pirate.")
        await chat.send("Hi")
        assert chat.engine.prompts[-1] == [("system", "Talk like a pirate."), ("user", "Hi")]

    run_chat(test)
    assert load_config().personas["pirate"].value == "Talk like a pirate."


def test_the_first_screen_says_what_is_loaded_and_offers_recent_conversations(run_chat):
    store = open_history(print)
    for title in ("Bread", "Sky", "Cats"):
        number = store.create_conversation(title).id
        store.add_message(number, "user", f"About {title}")
    store.close()

    async def test(chat):
        await chat.sees(
            "SmolLM2-135M-Instruct.Q4_1 · 135M · Q4_1", "Recent conversations", "1 Cats", "3 Bread"
        )
        await chat.sees("Enter sends", "/ lists commands")
        await chat.send("2")
        await chat.until(lambda: chat.messages == [("user", "About Sky")])
        await chat.send("/new")
        await chat.pilot.press("down", "down", "down", "enter")
        await chat.until(lambda: chat.messages == [("user", "About Bread")])
        await chat.send("/new")
        await chat.send("4")
        assert chat.messages[0] == ("user", "4"), "there is no fourth"

    run_chat(test)


def test_an_active_system_prompt_is_on_the_first_screen(run_chat):
    async def test(chat):
        await chat.sees("System prompt: Answer as a pirate.")

    run_chat(test, system="Answer as a pirate.")


def test_undo_opens_what_it_restores(run_chat):
    async def test(chat):
        await chat.send("Hi")
        await chat.send("/delete")
        await chat.sees("Conversation deleted; /undo restores it")
        assert chat.messages == []
        await chat.send("/undo")
        await chat.until(lambda: len(chat.messages) == 2)

    run_chat(test)


def test_how_to_resume_is_told(run_chat):
    async def test(chat):
        assert chat.session.how_to_resume() is None
        await chat.send("Hi")
        number = chat.session.thread.conversation.id
        assert chat.session.how_to_resume() == f"resume this conversation with: trchat --continue {number}"
        await chat.send("/delete")
        assert chat.session.how_to_resume() is None

    run_chat(test)
