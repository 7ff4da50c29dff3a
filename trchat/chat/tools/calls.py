"""What is told of tools: those that may be called, and the calls."""

import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ID_LETTERS, ID_LENGTH = string.ascii_letters + string.digits, 9
"""As Mistral's templates demand it; others take any."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call; ``arguments`` is the text of a JSON object."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Tools:
    """What may be called.

    Attributes:
        definitions: as OpenAI's protocol has them: ``{"type": "function", "function": {"name", ...}}``.
        must: names of those of which an answer must call one, unless there is an ``answer`` to give instead;
            empty where no grammar rules that.
        grammars: of each of these, its arguments' schema for the grammar engine (``Schema.grammar``).
        answer: what an answer must fit that calls none of ``must``, again for the grammar engine; empty where
            it must call one.
        parallel: an answer may hold several calls.
    """

    definitions: tuple[Mapping[str, Any], ...]
    must: tuple[str, ...] = ()
    grammars: tuple[str, ...] = ()
    answer: str = ""
    parallel: bool = True

    @property
    def names(self) -> frozenset[str]:
        """What they are called."""
        return frozenset(each["function"]["name"] for each in self.definitions)

    def parameters(self, name: str) -> Mapping[str, Any]:
        """The schema of a tool's arguments; empty where there is none."""
        for each in self.definitions:
            if each["function"]["name"] == name:
                found = each["function"].get("parameters")
                return found if isinstance(found, dict) else {}
        return {}


def new_id() -> str:
    """An id for a call whose model gives it none."""
    return "".join(secrets.choice(ID_LETTERS) for _ in range(ID_LENGTH))
