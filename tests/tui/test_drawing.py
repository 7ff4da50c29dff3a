"""Drawing is cheap: what that rests on."""

import gc

from textual.geometry import Region
from textual.widget import Widget

from tests.tui.scripted_engine import STOP_HERE, ScriptedEngine
from trchat.tui.widgets.answer_body import ROOM_SHARE
from trchat.tui.widgets.cheap_redraw import Even


def test_containers_drawn_by_one_line_look_as_textual_would_draw_them(run_chat):
    async def test(chat):
        await chat.send("/system Be brief.")
        await chat.send("Hello?\nIs anybody there?")
        chat.screen.action_message(-1)
        await chat.pilot.pause()
        even = [each for each in chat.screen.walk_children() if isinstance(each, Even)]
        assert {"Transcript", "Messages", "QuestionView", "AnswerView"} <= {
            type(each).__name__ for each in even
        }
        for each in even:
            whole = Region(0, 0, *each.outer_size)
            assert whole.height > 1
            drawn, textuals = each.render_lines(whole), Widget.render_lines(each, whole)
            assert [strip.simplify() for strip in drawn] == [strip.simplify() for strip in textuals]

    run_chat(test)


def test_a_growing_answer_keeps_some_room_that_fits_the_screen(run_chat):
    lines = [f"line {number}\n\n" for number in range(60)]
    engine = ScriptedEngine([[*lines[:30], STOP_HERE, *lines[30:], STOP_HERE, "end"]])

    async def test(chat):
        await chat.send("count", wait=False)
        body = chat.screen.transcript.answers()[-1]._body
        for last in (29, 59):
            await chat.at_stop()
            await chat.until(lambda last=last: f"line {last}" in body.lines)
            await chat.sees(f"line {last}")
            assert 0 <= body.room <= 40 // ROOM_SHARE
            chat.engine.go_on.set()
        await chat.idle()
        assert body.room == 0
        assert body.size.height == len(body.lines)

    run_chat(test, engine, size=(100, 40))


def test_a_wider_screen_leaves_no_more_room_than_a_narrow_one(run_chat):
    engine = ScriptedEngine([["many words " * 200, STOP_HERE, "end"]])

    async def test(chat):
        await chat.send("talk", wait=False)
        await chat.at_stop()
        body = chat.screen.transcript.answers()[-1]._body
        await chat.until(lambda: body.size.height > 60)
        await chat.pilot.resize_terminal(120, 40)
        await chat.until(lambda: body.size.height < 40)
        assert body.room <= 40 // ROOM_SHARE
        chat.engine.go_on.set()
        await chat.idle()

    run_chat(test, engine, size=(40, 40))


def test_the_interpreter_is_left_as_it_was(run_chat):
    async def test(chat):
        assert gc.get_freeze_count()

    run_chat(test)
    assert not gc.get_freeze_count()
