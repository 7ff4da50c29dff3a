"""Which questions warm, and what they teach."""

import json

from trchat.bench.questions import Question, load_questions
from trchat.bench.warming import pair

KINDS = ["chat", "translation", "summarization", "qa", "math_reasoning", "rag", "code"]


def question(name, related_to=None):
    return Question(name, "qa", ("Say it.",), related_to)


def test_questions_on_other_topics_are_all_asked_before_all_are_measured():
    questions, warm = [question("1"), question("2")], [question("g1"), question("g2")]
    assert pair(questions, warm) == (questions, warm)


def test_of_related_questions_only_pairs_are_used():
    questions = [question("1"), question("2")]
    warm = [question("2a", "2"), question("3a", "3"), question("2b", "2"), question("any")]
    measured, asked = pair(questions, warm)
    assert [each.id for each in measured] == ["2"]
    assert [each.id for each in asked] == ["2a", "2b", "any"]


def test_the_general_questions_are_many_of_every_kind():
    general = load_questions("general")
    assert len(general) == 147 and {question.related_to for question in general} == {None}
    assert all(sum(each.category == kind for each in general) == 21 for kind in KINDS)
    # The first ones already are of every kind, for runs that are cut short.
    assert sorted(each.category for each in general[:7]) == sorted(KINDS)


def test_every_related_question_belongs_to_a_built_in_one_and_three_to_each():
    related, questions = load_questions("related"), {each.id: each for each in load_questions(None)}
    assert all(questions[each.related_to].category == each.category for each in related)
    groups = [each.related_to for each in related]
    assert len(set(groups)) == 28 and all(groups.count(group) == 3 for group in groups)
    measured, asked = pair(load_questions(None), related)
    assert (len(measured), len(asked)) == (28, 84)


def test_no_question_is_asked_twice():
    everything = [each for name in ("questions", "general", "related") for each in load_questions(name)]
    assert len({each.id for each in everything}) == len(everything)
    assert len({each.turns[0] for each in everything}) == len(everything)


def test_related_to_is_read_from_a_file(tmp_path):
    file = tmp_path / "q.jsonl"
    file.write_text(json.dumps({"question_id": "a", "category": "qa", "turns": ["?"], "related_to": 7}))
    assert load_questions(file)[0].related_to == "7"
