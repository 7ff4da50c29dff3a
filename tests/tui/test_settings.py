"""Settings, models, keys and colours, changed while the chat goes on."""

import pytest

from tests.tiny_gguf import make
from tests.tui.scripted_engine import ScriptedEngine
from trchat.chat.thinking_switch import Plan, ThinkingSwitch
from trchat.config_file import load_config
from trchat.errors import UsageError
from trchat.session.news import Notice


def write_config(home, text):
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(text)


def test_sampling_changes_at_the_next_answer_without_reloading(run_chat):
    async def test(chat):
        await chat.send("/set temp 0.25")
        await chat.send("Hi")
        assert chat.engine.sampled[0].temperature == 0.25
        assert len(chat.engine.opened) == 1
        await chat.send("/set temp hot")
        await chat.sees("temp must be")
        assert chat.session.settings.temp == 0.25

    run_chat(test)


def test_the_context_size_reloads_the_model(run_chat):
    async def test(chat):
        await chat.send("/set ctx 1024")
        await chat.until(lambda: len(chat.engine.opened) == 2)
        assert chat.engine.opened[1][2] == 1024
        await chat.sees("of 1,024")

    run_chat(test)


def test_a_context_larger_than_the_model_knows_is_warned_of_when_it_is_set(run_chat, monkeypatch):
    monkeypatch.setattr("trchat.startup.free_memory", lambda: 300_000_000)

    async def test(chat):
        assert "was trained on" not in chat.words
        await chat.send("/set ctx 100000")
        await chat.sees(
            "was trained on at most 8192 tokens, the context holds 100000", "/set ctx 6400 makes it fit"
        )

    run_chat(test)


async def look_for(chat, name):
    """Open the settings, and choose what is found by ``name``."""
    await chat.pilot.press("f4")
    await chat.sees("Settings", "think_budget")
    await chat.pilot.press(*name, "enter")


def test_the_settings_screen_changes_a_value(run_chat):
    async def test(chat):
        await look_for(chat, "top_k")
        await chat.sees("a whole number from 0")
        await chat.pilot.press("ctrl+a", "ctrl+k", "7", "enter")
        await chat.until(lambda: chat.session.settings.top_k == 7)
        await chat.pilot.press("escape")
        await chat.until(lambda: chat.app.screen is chat.screen)

    run_chat(test)


def test_a_value_that_is_refused_is_there_to_be_corrected(run_chat):
    async def test(chat):
        for name, wrong, right in (("top_k", "4o", "4"), ("theme", "norf", "nord")):
            await look_for(chat, name)
            await chat.sees("leave it empty for the default")
            await chat.pilot.press("ctrl+u", *wrong, "enter")
            await chat.sees(repr(wrong))
            await chat.until(lambda wrong=wrong: chat.app.screen.query_one("#query").value == wrong)
            await chat.pilot.press("end", "backspace", *right[len(wrong) - 1 :], "enter")
            await chat.until(lambda: not chat.app.screen.query("#about"))
            await chat.pilot.press("escape")
            await chat.until(lambda: chat.app.screen is chat.screen)
        assert (chat.session.settings.top_k, chat.app.theme) == (4, "nord")

    run_chat(test)


def test_the_settings_screen_finds_what_is_called_so_first(run_chat):
    async def test(chat):
        await look_for(chat, "temp")
        await chat.sees("a number from 0 (greedy)")
        await chat.pilot.press("ctrl+u", *"0.5", "enter")
        await chat.until(lambda: chat.session.settings.temp == 0.5)
        await chat.sees("changed here")

    run_chat(test)


def test_the_settings_show_the_theme_in_use(run_chat):
    async def test(chat):
        await chat.pilot.press("f4", *"theme")
        await chat.sees("theme trchat-dark default")
        await chat.pilot.press("escape")
        await chat.send("/theme nord")
        await chat.pilot.press("f4", *"theme")
        await chat.sees("theme nord config.toml")

    run_chat(test)


def test_a_template_that_cannot_be_read_changes_nothing(run_chat):
    async def test(chat):
        await chat.send("/set template missing.jinja")
        await chat.sees("cannot read missing.jinja")
        assert chat.session.settings.template is None
        assert len(chat.engine.opened) == 1
        await chat.send("Hi")
        await chat.sees("Hello world.")

    run_chat(test)


def test_another_draft_mode_needs_no_reload_and_what_was_learned_stays(run_chat):
    async def test(chat):
        await chat.send("/draft off")
        await chat.send("Hi")
        assert chat.engine.mode == "off"
        await chat.send("/draft auto")
        await chat.send("Hi")
        assert chat.engine.mode == "auto"
        assert len(chat.engine.opened) == 1
        assert chat.session.thread.messages[1].settings["draft"] == "off"

    run_chat(test)


def test_thinking_is_switched_by_a_key_and_a_command_and_shown_where_there_is_a_switch(run_chat):
    plans = {"off": Plan({"x": False}), "on": Plan({"x": True})}
    plans |= dict.fromkeys(("low", "medium", "high"), Plan({"x": True}, note="only on or off"))
    engine = ScriptedEngine(thinking=ThinkingSwitch(plans, ("x",), ("auto", "off", "on")))

    async def test(chat):
        await chat.sees("think auto")
        await chat.pilot.press("f9")
        await chat.sees("thinking is off", "think off")
        await chat.send("Hi")
        await chat.pilot.press("f9")
        await chat.sees("thinking is on", "think on")
        await chat.send("/think high")
        await chat.sees("only on or off", "think high")
        await chat.send("Hi")
        await chat.send("/think")
        await chat.sees("only on or off; this model has: auto, off, on")
        await chat.send("/think maybe")
        await chat.sees("think must be one of auto, on, off, low, medium, high, not 'maybe'")
        assert [each.think for each in chat.engine.prompted] == ["off", "high"]
        assert [each.settings["think"] for each in chat.session.thread.messages[1::2]] == ["off", "high"]
        assert len(chat.engine.opened) == 1

    run_chat(test, engine)


def test_a_model_without_a_switch_says_so(run_chat):
    async def test(chat):
        await chat.pilot.press("f9")
        await chat.sees("the thinking of this model cannot be switched: its chat template has nothing for it")
        assert "think auto" not in chat.text
        await chat.send("/think off")
        await chat.until(lambda: chat.session.settings.think == "off")
        assert "think off" not in chat.text

    run_chat(test)


def test_an_answer_that_goes_on_keeps_the_thinking_it_began_with(run_chat):
    async def test(chat):
        await chat.send("/think off")
        await chat.send("Hi")
        await chat.send("/think on")
        await chat.send("/continue")
        assert [each.think for each in chat.engine.prompted] == ["off", "off"]

    run_chat(test, ScriptedEngine(finish="length"))


def test_another_model_is_chosen_from_the_list(run_chat, tmp_path, monkeypatch):
    tiny = make(tmp_path / "tiny.gguf")
    from trchat.catalog.sources import FoundFile

    monkeypatch.setattr("trchat.catalog.listing.find_files", lambda: [FoundFile("tiny-model", tiny, "path")])

    async def test(chat):
        await chat.pilot.press("f3")
        await chat.sees("tiny-model")
        await chat.pilot.press(*"tiny", "enter")
        await chat.until(lambda: len(chat.engine.opened) == 2)
        assert chat.engine.opened[1][0] == tiny

    run_chat(test)


def test_a_vanished_model_becomes_a_message_and_the_old_one_stays(run_chat, tmp_path):
    async def test(chat):
        await chat.send(f"/model {tmp_path}/gone.gguf")
        await chat.sees("does not exist", "Still using")
        await chat.send("Hi")
        await chat.sees("Hello world.")

    run_chat(test)


def test_what_the_model_starts_from_is_told(run_chat):
    from tests.tui.scripted_engine import ScriptedEngine

    engine = ScriptedEngine(notices=["starting from 12 rows of another quantisation"])

    async def test(chat):
        await chat.sees("starting from 12 rows of another quantisation")

    run_chat(test, engine)


def test_a_model_that_cannot_be_loaded_leaves_the_app_alive(run_chat):
    from trchat.errors import ModelError

    engine = ScriptedEngine()

    def broken(*args):
        raise ModelError("the weights are garbage")

    engine.opener, good = broken, engine.opener

    async def test(chat):
        await chat.sees("the weights are garbage")
        await chat.send("Hi")
        await chat.sees("no model is loaded")
        chat.session.host._opener = good
        await chat.send("/set ctx 2048")
        await chat.until(lambda: len(engine.opened) == 1)
        await chat.send("Hi")
        await chat.sees("Hello world.")

    run_chat(test, engine)


def test_the_theme_is_remembered(run_chat):
    async def test(chat):
        await chat.send("/theme nord")
        assert chat.app.theme == "nord"

    async def again(chat):
        assert chat.app.theme == "nord"

    run_chat(test)
    assert load_config().values["theme"].value == "nord"
    run_chat(again)


def test_keys_can_be_bound_anew(run_chat, home):
    write_config(home, '[keys]\nsend = "ctrl+s"\nnewline = "enter"\nlens = "f9"\n')

    async def test(chat):
        await chat.pilot.press("a", "enter", "b")
        assert chat.screen.prompt.text == "a\nb"
        await chat.sees("^s Send", "f9 Lens")
        await chat.pilot.press("ctrl+s")
        await chat.until(lambda: len(chat.messages) == 2)
        assert chat.messages[0] == ("user", "a\nb")

    run_chat(test)


@pytest.mark.parametrize(
    ("line", "reason"),
    [('lense = "f9"', "lens"), ('lens = "ctrl+m"', "Enter"), ('lens = "banana"', "not a key")],
)
def test_keys_that_cannot_be_bound_are_refused_with_their_line(run_chat, home, line, reason):
    write_config(home, f"[keys]\n{line}\n")

    async def test(chat):
        raise AssertionError("it must not start")

    with pytest.raises(UsageError, match=r"config.toml:2: .*" + reason):
        run_chat(test)


def test_commands_are_in_the_palette(run_chat):
    async def test(chat):
        await chat.pilot.press("ctrl+p")
        await chat.pilot.press(*"regen")
        await chat.sees("/regen")

    run_chat(test)


def test_before_the_oldest_messages_are_left_out_it_is_said_in_the_chat(run_chat):
    async def test(chat):
        await chat.send("one two three")
        assert "nearly full" not in chat.text
        await chat.send("word " * 15)
        await chat.until(lambda: "The context is nearly full" in chat.text)
        await chat.send("Hi")
        assert chat.text.count("nearly full") == 1

    run_chat(test, ScriptedEngine([["a " * 4]], n_ctx=32), ctx=32, max_tokens=4, size=(100, 60))


def test_what_the_store_says_stays_in_the_chat(run_chat):
    async def test(chat):
        chat.session.host.outbox.put(Notice("the store was [damaged] \x1b[2J and begins anew"))
        await chat.until(lambda: "the store was [damaged] ␛[2J and begins anew" in chat.text)

    run_chat(test)


def test_no_color_leaves_the_colours_to_the_terminal(run_chat, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")

    async def test(chat):
        await chat.send("Hi")
        await chat.pilot.press("ctrl+o")
        await chat.sees("Conversations")
        strips = chat.app.screen._compositor.render_strips(chat.app.size)
        styles = [segment.style for strip in strips for segment in strip if segment.style]
        assert styles and all(style.color is None or style.color.is_default for style in styles)
        assert all(style.bgcolor is None or style.bgcolor.is_default for style in styles)
        assert any(style.reverse for style in styles)  # what is chosen is set off all the same

    run_chat(test)


def test_a_setting_is_kept_by_command_with_comments_as_they_were(run_chat, home):
    write_config(home, "# mine\n[sampling]\ntop_k = 5  # few\n")

    async def test(chat):
        await chat.send("/set temp 0.25 --keep")
        await chat.sees("kept temp for all models in config.toml")
        await chat.send("/set top_k 7 --keep model")
        await chat.sees(f"kept top_k for {chat.session.prepared.model.name}")
        await chat.send("/system Be brief. --keep")
        await chat.sees("kept system for all models")
        assert chat.session.changed == frozenset()
        assert chat.session.settings.origins["temp"] == "config.toml:6"
        await chat.send("/set min_p 0.1 --keep me")
        await chat.sees("--keep model for this one")
        assert chat.session.settings.min_p == 0.05

    run_chat(test)
    text = (home / "config.toml").read_text()
    assert text.startswith('# mine\nsystem = "Be brief."\n') and "top_k = 5  # few\ntemp = 0.25\n" in text

    async def again(chat):
        settings = chat.session.settings
        assert (settings.temp, settings.top_k, chat.session.system) == (0.25, 7, "Be brief.")

    run_chat(again)


def test_what_overrides_a_kept_setting_is_said(run_chat, home):
    write_config(home, "[model.smol]\ntemp = 0.9\n")

    async def test(chat):
        await chat.send("/set temp 0.25 --keep")
        await chat.sees("config.toml:2 overrides it at the next start")
        assert chat.session.settings.temp == 0.25

    run_chat(test)


def test_settings_are_explained_and_kept_by_a_key(run_chat):
    async def test(chat):
        await chat.send("/set temp 0.25")
        await chat.pilot.press("f4", *"temp")
        await chat.sees("0 always takes the likeliest token", "changed here", "Keep for all models")
        await chat.pilot.press("ctrl+s")
        await chat.sees("temp 0.25 config.toml:2")
        await chat.pilot.press("escape")

    run_chat(test)
    assert load_config().values["temp"].value == 0.25


def test_every_setting_is_explained():
    from trchat.config_rules import SETTINGS
    from trchat.session.setting_help import EXPLAINED

    assert EXPLAINED.keys() == SETTINGS.keys()


def test_system_alone_shows_it_and_clear_removes_it(run_chat):
    async def test(chat):
        await chat.send("/system")
        await chat.sees("There is no system prompt; /system TEXT sets one.")
        await chat.send("/system Answer as a pirate.")
        await chat.send("/system")
        await chat.sees("System prompt: Answer as a pirate.")
        await chat.send("/system clear")
        await chat.send("Hi")
        assert chat.engine.prompts == [[("user", "Hi")]]

    run_chat(test)
