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
    """One question; ``turns`` are the user's."""

    id: str
    category: str
    turns: tuple[str, ...]


def load_questions(path: Path | None, per_category: int | None = None) -> list[Question]:
    """The questions of ``path`` (None = the built-in ones), the first ``per_category`` of each kind.

    Raises UsageError naming the line when the file is not JSON lines of ``{"question_id", "category",
    "turns": [str, ...]}``.
    """
    if path is None:
        text = resources.files("trchat.bench").joinpath("questions.jsonl").read_text(encoding="utf-8")
    else:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read questions from {path}: {error}") from error
    taken: dict[str, int] = defaultdict(int)
    questions = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        question = _parse(line, f"{path or 'questions.jsonl'}:{number}")
        taken[question.category] += 1
        if per_category is None or taken[question.category] <= per_category:
            questions.append(question)
    if not questions:
        raise UsageError(f"{path} holds no questions")
    return questions


def _parse(line: str, where: str) -> Question:
    try:
        record = json.loads(line)
        turns = tuple(record["turns"])
        category, identity = str(record["category"]), str(record["question_id"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f'{where}: not a question ({{"question_id", "category", "turns": [...]}})'
        ) from error
    if not turns or not all(isinstance(turn, str) and turn.strip() for turn in turns):
        raise UsageError(f"{where}: every question needs turns of text")
    return Question(identity, "chat" if category in _CHAT else category, turns)
