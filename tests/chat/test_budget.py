"""What is left out of a conversation that is longer than the context."""

import pytest

from trchat.chat.budget import Dropped, fit, reply_reserve
from trchat.chat.prompt import Prompt
from trchat.chat.template import Turn
from trchat.errors import ContextError, UsageError


def build(turns):
    """A token a character, and the roles' first letters to look at."""
    return Prompt([ord(letter) for turn in turns for letter in turn.content])


def fitted(turns, n_ctx, max_tokens=None):
    result = fit(turns, build, n_ctx, max_tokens)
    return "".join(map(chr, result.prompt.ids)), result.dropped


def talk(*contents, system=None):
    turns = [Turn(("user", "assistant")[i % 2], content) for i, content in enumerate(contents)]
    return [Turn("system", system), *turns] if system else turns


def test_what_fits_is_left_alone():
    assert fitted(talk("aaa", "bbb", "ccc"), 100) == ("aaabbbccc", None)


def test_the_oldest_turns_go_with_their_answers_and_it_is_said():
    text, dropped = fitted(talk("aaaa", "bbbb", "cccc", "dddd", "eeee", system="SS"), 24)
    assert text == "SSccccddddeeee"  # 24 less a quarter for the reply: 18
    assert dropped == Dropped(1, 3)
    assert str(dropped).startswith("the conversation is longer than the context: its oldest turn is left out")
    assert "oldest 2 turns are" in str(Dropped(2, 3))


@pytest.mark.parametrize("n_ctx", range(4, 60))
def test_as_few_as_possible_are_dropped(n_ctx):
    turns = talk("aaa", "bbbbb", "cc", "ddd", "eeeee", "f", "gg", system="S")
    text, dropped = fitted(turns, n_ctx)
    room = n_ctx - reply_reserve(n_ctx, None)
    wanted = ["Saaabbbbbccdddeeeeefgg", "Sccdddeeeeefgg", "Seeeeefgg", "Sgg"]
    fits = [each for each in wanted if len(each) <= room] or wanted[-1:]
    assert text == fits[0]
    assert (dropped.turns if dropped else 0) == wanted.index(text)


def test_the_reserve_gives_way_before_the_question_does():
    assert fitted(talk("q" * 15), 16) == ("q" * 15, None)
    assert fitted(talk("aa", "bb", "q" * 15), 16) == ("q" * 15, Dropped(1, 2))


@pytest.mark.parametrize("system", [None, "S"])
def test_a_question_that_cannot_fit_is_an_error(system):
    with pytest.raises(ContextError, match="the context holds 16; shorten it or raise --ctx"):
        fitted(talk("a", "b", "q" * 16, system=system), 16)


def test_a_template_that_writes_nothing_is_an_error():
    with pytest.raises(UsageError, match="renders nothing for this conversation; use --template chatml"):
        fit(talk("a", "b", "c"), lambda turns: Prompt([]), 16, None)


def test_two_questions_in_a_row_are_one_turn():
    turns = [Turn("user", "aaaa"), Turn("assistant", "bb"), Turn("user", "cccc"), Turn("user", "dd")]
    assert fitted(turns, 12) == ("ccccdd", Dropped(1, 2))


def test_the_reserve():
    assert reply_reserve(4096, None) == 1024
    assert reply_reserve(4096, 100) == 100
    assert reply_reserve(4096, 4000) == 2048
