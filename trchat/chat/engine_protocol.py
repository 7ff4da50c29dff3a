"""What goes over the pipe between a front end and its engine's process: records, pickled several at a time.

A new field of a request, of a setting, of ``Answer`` or of an event crosses by itself: requests are passed on
as they were called, and an answer's changes are found field by field.
"""

from copy import copy
from dataclasses import dataclass, fields
from typing import Any

from trchat.chat.records import Answer, Event, ModelFacts, Standing
from trchat.chat.thinking_switch import ThinkingSwitch


@dataclass(frozen=True, slots=True)
class Order:
    """What the engine is to do. ``STOP`` and ``CLOSE`` take effect at once, others wait for their turn."""

    name: str
    arguments: tuple[Any, ...] = ()
    named: dict[str, Any] | None = None


STOP, CLOSE = "stop", "close"


@dataclass(frozen=True, slots=True)
class Loading:
    """The model is being read, ``fraction`` of it so far."""

    fraction: float


@dataclass(frozen=True, slots=True)
class Told:
    """A line for a person."""

    line: str


@dataclass(frozen=True, slots=True)
class Spellings:
    """The bytes of tokens that have not been mentioned before."""

    pieces: dict[int, bytes]


@dataclass(frozen=True, slots=True)
class Said:
    """An event of the answer, and what changed in the ``Answer`` with it."""

    event: Event
    changes: "Changes"


@dataclass(frozen=True, slots=True)
class Finished:
    """An order is carried out, or it failed: ``error`` is one that both processes know."""

    error: BaseException | None = None


Report = ModelFacts | ThinkingSwitch | Standing | Loading | Told | Spellings | Said | Finished

Changes = dict[str, tuple[bool, Any]]
"""By field: whether it grew, and then by what; else its new value."""


class Growth:
    """Finds what has changed in an answer since it was last asked."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._known = {each.name: self._note(getattr(answer, each.name)) for each in fields(answer)}

    def changes(self) -> Changes:
        """What is new."""
        found: Changes = {}
        for name, known in self._known.items():
            value = getattr(self._answer, name)
            if isinstance(value, list):
                if len(value) != known:
                    grew = len(value) > known
                    found[name] = grew, value[known:] if grew else list(value)
            elif value != known:
                grew = isinstance(value, str) and isinstance(known, str) and value.startswith(known)
                found[name] = grew, value[len(known) :] if grew else copy(value)
            else:
                continue
            self._known[name] = self._note(value)
        return found

    @staticmethod
    def _note(value: Any) -> Any:
        return len(value) if isinstance(value, list) else copy(value)


def apply(changes: Changes, answer: Answer) -> None:
    """Do to ``answer`` what was done to the other process's."""
    for name, (grew, value) in changes.items():
        setattr(answer, name, getattr(answer, name) + value if grew else value)
