"""From the engine's thread to a front end: records that merge, text cut by who wrote it, and speeds."""

import numpy as np
import pytest

from trchat.decoding.step import Step
from trchat.recycling.tree import EMPTY_TREE, ROOT, DraftTree
from trchat.session.news import Ended, Grown, Loading, Node, Notice, Piece, Speed
from trchat.session.outbox import Outbox
from trchat.session.pieces import PieceCutter, draw
from trchat.session.plain_speed import ENOUGH, PlainSpeed

TREE = DraftTree(np.array([1, 2, 3], np.int32), np.array([ROOT, 0, ROOT], np.int32), [0.5, 0.25, 0.125])


def step(tokens, tree=EMPTY_TREE, path=(), width=1, seconds=0.01):
    return Step(tuple(tokens), tree, tuple(path), width, None, 0.0, seconds, 0.0, 0.0, 0.0)


def grown(text, message=1):
    return Grown(message, text, (Piece(text, False),), (1,), Speed(tokens=len(text)))


def test_what_a_slow_reader_has_not_fetched_is_merged_and_nothing_is_lost():
    woken = []
    outbox = Outbox(lambda: woken.append(1))
    for news in (Loading(0.1), Loading(0.9), grown("a"), grown("b"), Notice("x"), grown("c"), grown("d", 2)):
        outbox.put(news)
    assert len(woken) == 1, "one is told once"
    loading, first, notice, second, other = outbox.take()
    assert (loading, notice) == (Loading(0.9), Notice("x"))
    assert (first.text, first.step_tokens, first.speed.tokens) == ("ab", (1, 1), 1)
    assert (second.text, other.text) == ("c", "d")
    assert outbox.take() == []
    outbox.put(Ended(1, "stop", Speed()))
    assert len(woken) == 2


def test_the_text_is_cut_into_what_was_guessed_and_what_was_not():
    words = [b"?", b"The ", b"sky ", b"is ", "é".encode()[:1], "é".encode()[1:]]
    cutter = PieceCutter(words.__getitem__)
    assert cutter.cut(step([1, 2, 3], TREE, (0, 1)), "lookup") == [
        Piece("The sky ", True, "prompt"),
        Piece("is ", False),
    ]
    # A character that is not whole yet waits, and belongs to the token that completes it.
    assert cutter.cut(step([4]), "lookup") == []
    assert cutter.cut(step([5]), "lookup") == [Piece("é", False)]


def test_the_tree_is_told_with_its_tokens_as_text():
    words = [b"?", b"a", b"b", b"c", b"d"]
    drafted = draw(step([1, 4], TREE, (0,)), "root", words.__getitem__, "recycling")
    assert (drafted.root, drafted.bonus) == ("root", "d")
    assert drafted.nodes == (
        Node("a", ROOT, True, 0.5, "matrix"),
        Node("b", 0, False, 0.25, "matrix"),
        Node("c", ROOT, False, 0.125, "matrix"),
    )


def test_plain_speed_may_be_known_from_before():
    plain = PlainSpeed()
    for _ in range(ENOUGH):
        plain.add(step([1, 2], width=4, seconds=0.02))
    assert plain.ratio(100.0) == (pytest.approx(2.0), False)
    assert plain.ratio(100.0, 10.0) == (pytest.approx(1.0), True)


def test_plain_speed_is_told_from_steps_of_one_token_or_bounded_by_narrow_ones():
    plain = PlainSpeed()
    assert plain.ratio(50.0) == (None, False)
    for _ in range(ENOUGH):
        plain.add(step([1, 2], width=4, seconds=0.02))
    assert plain.ratio(100.0) == (pytest.approx(2.0), False), "an upper bound: four tokens cost more than one"
    for _ in range(ENOUGH):
        plain.add(step([1], seconds=0.015))
    assert plain.ratio(100.0) == (pytest.approx(1.5), True)
