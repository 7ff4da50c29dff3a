"""Questions to measure with: the built-in ones, or any file in Spec-Bench's format."""

import json
from collections import defaultdict
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from trchat.errors import UsageError

# Spec-Bench names the eight kinds of MT-Bench one by one; together they are its "multi-turn conversation".
_CHAT = frozenset(
    ("writing", "roleplay", "reasoning", "math", "coding", "extraction", "stem", "humanities", "mt_bench")
)


@dataclass(frozen=True, slots=True)
class Question:
    """One question; ``turns`` are the user's. ``related_to`` is the ID of another one on the same topic."""

    id: str
    category: str
    turns: tuple[str, ...]
    related_to: str | None = None


ALL = "all"
"""What results call all categories together."""

QUESTIONS = "questions"
WARM_SETS = ("general", "related")
"""Built-in questions to warm with: on other topics than QUESTIONS, and on the same ones."""


def load_questions(source: Path | str | None, per_category: int | None = None) -> list[Question]:
    """The questions of ``source``, the first ``per_category`` of each kind.

    ``source`` is a file, or the name of a built-in set (None = QUESTIONS). Raises UsageError naming the line
    when the file is not JSON lines of ``{"question_id", "category", "turns": [str, ...]}``, to which
    ``"related_to"``, another question's ID, may be added; or when two have one ID.
    """
    path = source if isinstance(source, Path) else None
    name = source if isinstance(source, str) else QUESTIONS
    if path is None:
        text = resources.files("trchat.bench").joinpath(f"{name}.jsonl").read_text(encoding="utf-8")
    else:
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot read questions from {path}: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"cannot read questions from {path}: it is not UTF-8 text") from error
    places: dict[str, str] = {}
    taken: dict[str, int] = defaultdict(int)
    questions = []
    # Not splitlines: it takes characters that JSON allows within a text for ends of lines.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path or f'{name}.jsonl'}:{number}"
        question = _parse(line, where)
        if question.id in places:
            raise UsageError(f"{where}: {places[question.id]} has the question_id {question.id!r} already")
        places[question.id] = where
        taken[question.category] += 1
        if per_category is None or taken[question.category] <= per_category:
            questions.append(question)
    if not questions:
        raise UsageError(f"{path} holds no questions")
    return questions


def _parse(line: str, where: str) -> Question:
    try:
        record = json.loads(line)
        turns = record["turns"]
        category, identity = str(record["category"]), str(record["question_id"])
        related = record.get("related_to")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(
            f'{where}: not a question ({{"question_id", "category", "turns": [...]}})'
        ) from error
    if not isinstance(turns, list) or not turns:
        raise UsageError(f"{where}: every question needs a list of turns")
    if not all(isinstance(turn, str) and turn.strip() for turn in turns):
        raise UsageError(f"{where}: every question needs turns of text")
    if category == ALL:
        raise UsageError(f"{where}: {ALL!r} is not a category, it stands for all of them")
    kind = "chat" if category in _CHAT else category
    return Question(identity, kind, tuple(turns), None if related is None else str(related))
