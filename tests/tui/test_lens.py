"""The draft lens: what was guessed, and what came of it."""

from tests.tui.scripted_engine import STOP_HERE, ScriptedEngine
from trchat.recycling.kinds import FILLER, SOURCES
from trchat.session.news import Node
from trchat.tui.draft_tree_lines import tree_lines
from trchat.tui.source_colours import SourceColours


def underlined(chat):
    strips = chat.app.screen._compositor.render_strips(chat.app.size)
    return "".join(
        segment.text for strip in strips for segment in strip if segment.style and segment.style.underline
    )


def test_accepted_tokens_are_underlined_and_the_tree_is_drawn(run_chat):
    async def test(chat):
        await chat.pilot.press("ctrl+l")
        await chat.send("Hi", wait=False)
        await chat.at_stop()
        await chat.sees(
            "Last draft",
            "wor 90% ✓",
            "wrong 10%",
            "after 2 tokens",
            "repeated text",
            "ld. by the model",
            "guess 1 ahead",
            "mean 2.00",
        )
        assert "wrong" not in underlined(chat)
        assert underlined(chat).count("wor") == 2  # in the answer and in the tree
        chat.engine.go_on.set()
        await chat.idle()
        await chat.sees("12 predictions learned")

    run_chat(test, ScriptedEngine([["Hello ", "world.", STOP_HERE, "!"]]), size=(130, 45))


def test_the_lens_shows_an_answer_that_is_already_there_and_hides_again(run_chat):
    async def test(chat):
        await chat.send("Hi")
        await chat.sees("Hello world.")
        assert "Hel" not in underlined(chat)
        await chat.pilot.press("ctrl+l")
        await chat.until(lambda: "Hel" in underlined(chat))
        await chat.pilot.press("ctrl+l")
        await chat.until(lambda: "Hel" not in underlined(chat))
        await chat.sees("Hello world.")

    run_chat(test)


def test_a_continued_answer_is_marked_from_its_beginning(run_chat):
    async def test(chat):
        await chat.pilot.press("ctrl+l")
        await chat.send("Count")
        chat.engine.finish = "stop"
        await chat.pilot.press("ctrl+g")
        await chat.idle()
        await chat.until(lambda: "one two three four" in chat.text)
        assert all(half in underlined(chat) for half in ("on", "tw", "thr", "fo"))
        assert not any(half in underlined(chat).split() for half in ("e", "o", "ee", "ur"))

    run_chat(test, ScriptedEngine([["one ", "two "], ["**three** ", "four "]], finish="length"))


def test_what_came_free_is_what_the_engine_knows_when_it_is_ready_and_after_each_answer(run_chat):
    async def test(chat):
        await chat.pilot.press("ctrl+l")
        await chat.sees("1,000 tokens saved in total")
        for count in ("1,004", "1,008"):
            await chat.send("Hi")
            await chat.sees(f"{count} tokens saved in total")

    run_chat(test)


def test_the_tree_shows_the_accepted_path_and_counts_the_rest():
    nodes = [Node("a", -1, True), Node("b", -1, False), Node("c", 0, True), Node("d", 2, True)]
    nodes += [Node(f"x{index}", -1, False) for index in range(50)]
    lines = tree_lines(nodes, 8)
    assert len(lines) <= 8
    assert [line.node.text for line in lines if line.node and line.node.accepted] == ["a", "c", "d"]
    shown = sum(1 for line in lines if line.node)
    assert shown + sum(line.left_out for line in lines) == len(nodes)


def test_by_command_guessed_tokens_get_the_colour_of_their_source(run_chat):
    async def test(chat):
        await chat.send("Hi")
        await chat.send("/lens colour")
        await chat.until(lambda: "Hel" in underlined(chat))
        wanted = chat.screen.colours.hex("after 2 tokens", chat.app.theme_variables)
        strips = chat.app.screen._compositor.render_strips(chat.app.size)
        colours = {
            segment.style.color.get_truecolor().hex
            for strip in strips
            for segment in strip
            if segment.style and segment.style.underline and segment.text.strip() == "Hel"
        }
        assert colours == {wanted.lower()}

    run_chat(test, size=(130, 45))


def test_no_two_sources_share_a_colour():
    colours = SourceColours()
    sources = [*SOURCES, FILLER]
    assert len({colours.name(source) for source in sources}) == len(sources)


def test_the_lens_opened_afterwards_shows_the_last_draft(run_chat):
    async def test(chat):
        await chat.send("Hi")
        await chat.pilot.press("ctrl+l")
        await chat.sees("wor 90% ✓", "after 2 tokens", "2 of 4 (50%) accepted", "mean 2.00")

    run_chat(test, size=(130, 45))
