"""From the engine's thread to a front end: records that merge, text cut by who wrote it, and speeds."""

import numpy as np
import pytest

from trchat.chat.formats.interface import Said
from trchat.chat.records import Delta
from trchat.decoding.step import Step
from trchat.recycling.tree import EMPTY_TREE, ROOT, DraftTree
from trchat.session.guessed_pieces import cut, draw
from trchat.session.news import Ended, Grown, Loading, Node, Notice, Piece, Speed
from trchat.session.outbox import Outbox
from trchat.session.plain_speed import PlainSpeed

TREE = DraftTree(np.array([1, 2, 3], np.int32), np.array([ROOT, 0, ROOT], np.int32), [0.5, 0.25, 0.125])


def step(tokens, tree=EMPTY_TREE, path=(), width=1, seconds=0.01):
    return Step(tuple(tokens), tree, tuple(path), width, None, 0.0, seconds, 0.0, 0.0, 0.0)


def grown(text, message=1):
    return Grown(message, Said(text=text), (Piece(text, False),), (1,), Speed(tokens=len(text)))


def test_what_a_slow_reader_has_not_fetched_is_merged_and_nothing_is_lost():
    woken = []
    outbox = Outbox(lambda: woken.append(1))
    for news in (Loading(0.1), Loading(0.9), grown("a"), grown("b"), Notice("x"), grown("c"), grown("d", 2)):
        outbox.put(news)
    assert len(woken) == 1, "one is told once"
    loading, first, notice, second, other = outbox.take()
    assert (loading, notice) == (Loading(0.9), Notice("x"))
    assert (first.said.text, first.step_tokens, first.speed.tokens) == ("ab", (1, 1), 1)
    assert (second.said.text, other.said.text) == ("c", "d")
    assert outbox.take() == []
    outbox.put(Ended(1, "stop", Speed()))
    assert len(woken) == 2


def test_the_text_is_cut_into_what_was_guessed_and_what_was_not():
    def delta(tokens, *texts, tree=EMPTY_TREE, path=()):
        return Delta(step(tokens, tree, path), tuple(Said(text=text) for text in texts))

    assert cut(delta([1, 2, 3], "The ", "sky ", "is ", tree=TREE, path=(0, 1)), "lookup") == [
        Piece("The sky ", True, "repeated text"),
        Piece("is ", False),
    ]
    # A character that is not whole yet waits, and belongs to the token that completes it.
    assert cut(delta([4], ""), "lookup") == []
    assert cut(delta([5], "é"), "lookup") == [Piece("é", False)]


def test_what_turns_out_to_be_reasoning_is_no_part_of_the_text_any_more():
    late = Grown(1, Said("", "so", recast=True), (Piece("so", False),), (1,), Speed())
    both = grown("because ").with_next(late)
    assert (both.said, both.pieces) == (Said("because ", "so", recast=True), (Piece("so", False),))


def test_the_tree_is_told_with_its_tokens_as_text():
    words = [b"?", b"a", b"b", b"c", b"d"]
    drafted = draw(step([1, 4], TREE, (0,)), "root", words.__getitem__, "recycling")
    assert (drafted.root, drafted.bonus) == ("root", "d")
    assert drafted.nodes == (
        Node("a", ROOT, True, 0.5, "learned"),
        Node("b", 0, False, 0.25, "learned"),
        Node("c", ROOT, False, 0.125, "learned"),
    )


def speeds(plain, *steps, plain_ms=None):
    for each in steps:
        plain.add(each)
    return plain.ratio(plain_ms)


PLAIN, DRAFTED = step([1], seconds=0.010), step([1, 2, 3], TREE, (0, 1), width=4, seconds=0.015)


def test_the_ratio_is_measured_within_the_answer():
    assert speeds(PlainSpeed(), *[PLAIN] * 10, *[DRAFTED] * 20) == pytest.approx(0.010 * 70 / 0.4)
    busy = Step((1,), EMPTY_TREE, (), 1, None, 0.004, 0.010, 0.0, 0.006, 0.0)  # guessed nothing, and learned
    assert speeds(PlainSpeed(), *[busy] * 10, *[DRAFTED] * 20) == pytest.approx(0.010 * 70 / 0.5)


@pytest.mark.parametrize(
    "steps",
    [[PLAIN] * 200, [PLAIN] * 10 + [DRAFTED] * 12, [DRAFTED] * 40],
    ids=["off", "short", "none plain"],
)
def test_no_ratio_without_drafts_enough_tokens_or_plain_steps(steps):
    assert speeds(PlainSpeed(), *steps) is None


def test_what_the_drafter_knows_of_plain_steps_stands_in_for_them():
    assert speeds(PlainSpeed(), *[DRAFTED] * 40) is None
    assert speeds(PlainSpeed(), *[DRAFTED] * 40, plain_ms=10.0) == pytest.approx(0.010 * 3 / 0.015)


def test_a_ratio_is_never_above_the_tokens_per_step():
    slow = step([1], seconds=1.0)
    assert speeds(PlainSpeed(), *[slow] * 6, *[DRAFTED] * 2000) == pytest.approx(6006 / 2006)
