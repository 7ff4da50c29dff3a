"""Questions: the built-in ones, and files in the format of Spec-Bench."""

import json

import pytest

from trchat.bench.questions import load_questions
from trchat.errors import UsageError

KINDS = ["chat", "translation", "summarization", "qa", "math_reasoning", "rag", "code"]


def test_the_built_in_questions_cover_seven_kinds_evenly():
    questions = load_questions(None)
    assert list(dict.fromkeys(question.category for question in questions)) == KINDS
    assert all(sum(q.category == kind for q in questions) == 6 for kind in KINDS)
    assert len({question.id for question in questions}) == 42
    assert len({question.turns[0] for question in questions}) == 42


def test_the_first_n_of_each_kind():
    assert len(load_questions(None, per_category=2)) == 14


def test_spec_benchs_conversation_kinds_are_one(tmp_path):
    file = tmp_path / "questions.jsonl"
    lines = [
        {"question_id": 1, "category": "writing", "turns": ["a"], "reference": ["unused"]},
        {"question_id": 2, "category": "stem", "turns": ["b", "c"]},
        {"question_id": 3, "category": "rag", "turns": ["d"]},
    ]
    file.write_text("\n\n".join(map(json.dumps, lines)))
    assert [(q.category, q.turns) for q in load_questions(file)] == [
        ("chat", ("a",)),
        ("chat", ("b", "c")),
        ("rag", ("d",)),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "[]",
        "[" * 100_000,
        '{"turns": ["a"]}',
        '{"question_id": 2, "category": "x", "turns": []}',
        '{"question_id": 2, "category": "x", "turns": [1]}',
        '{"question_id": 2, "category": "x", "turns": [" "]}',
        '{"question_id": 2, "category": "x", "turns": "ok"}',
        '{"question_id": "1", "category": "x", "turns": ["another"]}',
        '{"question_id": 2, "category": "all", "turns": ["ok"]}',
    ],
)
def test_a_bad_line_is_named(tmp_path, line):
    file = tmp_path / "q.jsonl"
    file.write_text('{"question_id": 1, "category": "x", "turns": ["ok"]}\n' + line)
    with pytest.raises(UsageError, match=r"q\.jsonl:2: "):
        load_questions(file)


def test_a_line_ends_where_json_lines_end(tmp_path):
    text = "one\u2028two\u0085three"
    file = tmp_path / "q.jsonl"
    line = json.dumps({"question_id": 1, "category": "x", "turns": [text]}, ensure_ascii=False)
    file.write_bytes((line + "\r\n").encode())
    assert load_questions(file)[0].turns == (text,)


def test_missing_and_empty_files(tmp_path):
    with pytest.raises(UsageError, match="cannot read questions"):
        load_questions(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(UsageError, match="holds no questions"):
        load_questions(tmp_path / "empty.jsonl")
