"""Answers of earlier conversations are guessed to come again, as long as those are kept."""

from contextlib import closing

import pytest

from tests.tiny_gguf import make
from trchat.chat.earlier import EarlierAnswers
from trchat.chat.loading import open_engine
from trchat.chat.records import new_answer
from trchat.chat.settings import Remember, sampling_of
from trchat.chat.template import Turn
from trchat.config import Settings
from trchat.drafting import make_drafter
from trchat.llama.model import Model
from trchat.recycling.auto import AutoDrafter
from trchat.recycling.cost import FixedCosts
from trchat.recycling.knowledge import Knowledge
from trchat.storage.conversations import open_history

GREEDY = sampling_of(Settings(temp=0.0), 1)
QUESTION = [Turn("user", "Name three trees and say one thing about each.")]


class Listening(AutoDrafter):
    """Writes down what it is told."""

    def __init__(self):
        super().__init__(Knowledge())
        self.told = []

    def remember(self, text):
        self.told.append(list(text))
        super().remember(text)

    def forget_texts(self):
        self.told = []
        super().forget_texts()


@pytest.fixture
def store():
    with closing(open_history(pytest.fail)) as store:
        yield store


def answered(store, *texts):
    """A conversation with these answers; its ID."""
    conversation = store.create_conversation("A talk").id
    for text in texts:
        question = store.add_message(conversation, "user", "the")
        answer = store.begin_answer(question.id)
        store.finish_answer(answer.id, text, "stop")
    return conversation


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    with Model(make(tmp_path_factory.mktemp("models") / "tiny.gguf", "llama"), 0) as model:
        yield model


def told(earlier, drafter):
    earlier.prepare(drafter)
    while earlier.pause():
        pass
    return drafter.told


def test_the_latest_answers_are_told_once(model, store):
    answered(store, "the inn", "an oak")
    answered(store, "that man")
    expected = [model.tokenize(text) for text in ("that man", "an oak", "the inn")]
    with closing(EarlierAnswers(model, read=True)) as earlier:
        drafter = Listening()
        assert told(earlier, drafter) == expected
        assert told(earlier, drafter) == expected
        assert told(earlier, Listening()) == expected, "another drafter"


def test_what_is_deleted_meanwhile_is_forgotten(model, store):
    first, second = answered(store, "the inn"), answered(store, "that man")
    with closing(EarlierAnswers(model, read=True)) as earlier:
        drafter = Listening()
        assert len(told(earlier, drafter)) == 2
        store.delete(first)
        assert told(earlier, drafter) == [model.tokenize("that man")]
        store.restore(first)
        store.remove(second)
        assert told(earlier, drafter) == [model.tokenize("the inn")]


def test_an_answer_just_given_goes_with_its_conversation(model, store):
    with closing(EarlierAnswers(model, read=False)) as earlier:
        drafter = Listening()
        assert told(earlier, drafter) == []
        conversation = answered(store, "the inn")
        drafter.remember([4, 5, 6])
        earlier.belongs_to(conversation)
        assert told(earlier, drafter) == [[4, 5, 6]]
        store.delete(conversation)
        assert told(earlier, drafter) == []


def test_nothing_is_read_nor_made_where_there_is_nothing(model, home):
    for read in (False, True):
        with closing(EarlierAnswers(model, read=read)) as earlier:
            assert told(earlier, Listening()) == []
    assert not home.exists()


def test_only_so_many_letters_are_read(store):
    answered(store, "a" * 400, "b" * 400, "c" * 400)
    assert [text[0] for _owner, text in store.latest_answers(1000)] == ["c", "b"]
    assert store.latest_answers(399) == []


@pytest.mark.parametrize("recall", ["on", "off"])
def test_an_earlier_answer_comes_in_fewer_steps_and_says_the_same(demo_model, store, recall):
    settings = Settings(temp=0.0, threads=1, ctx=512, recall=recall, draft="off")
    with open_engine(demo_model, settings, remember=Remember(write=False)) as engine:

        def say():
            answer = new_answer(1)
            for _ in engine.answer(QUESTION, GREEDY, 40, answer):
                pass
            return answer

        plain = say()
        answered(store, plain.text)
        engine.drafter = AutoDrafter(Knowledge(), width=8)
        drafted = say()
        assert drafted.token_ids == plain.token_ids
        assert (drafted.statistics.steps < 15) == (recall == "on")


def test_the_setting_leaves_the_source_out():
    for recall in (True, False):
        drafter = make_drafter("auto", 300, FixedCosts({1: 10.0, 64: 11.0}, 0.0), recall=recall)
        drafter.remember([7, 8, 9, 10, 11])
        drafter.begin([1, 7, 8, 9])
        assert any(drafter.draft(20).probabilities or ()) == recall
