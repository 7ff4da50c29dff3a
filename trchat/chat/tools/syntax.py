"""What tells calls of tools in an answer, and the interface of the readers that take them apart."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from trchat.chat.tools.calls import ID_LENGTH, ToolCall, Tools, new_id
from trchat.chat.tools.values import read_json, written


@dataclass(frozen=True, slots=True)
class Slot:
    """What differs from call to call: ``name``, ``arguments``, or what a ``pattern`` tells (its ``id``, or
    ``something`` else that nobody wants to know); ``sample`` is one that a template has written."""

    kind: str
    pattern: str = ""
    sample: str = ""


Part = str | Slot
"""Of a call: words, or what stands between them."""


_MARK = re.compile(r"</?[^<>\s]+>?|\[[A-Z_]+\]")
_SAMPLE = ToolCall("qidq", "qnameq", '{"qfirstq": "qtextq", "qsecondq": 1}')


@dataclass(frozen=True, slots=True)
class Read:
    """A stretch of output up to ``end`` is done with.

    ``call`` is None where it is none; ``like_one``: though it set out to be one, so that something was meant
    by it and went wrong, and it is not just an opener that somebody mentions. ``listed``: it stood in a list.
    """

    end: int
    call: ToolCall | None = None
    like_one: bool = False
    listed: bool = False


class CallReader(Protocol):
    """Reads one call."""

    def read(self, text: str, start: int, tools: Tools, final: bool) -> Read | None:
        """The call in ``text`` from ``start`` on, behind its opener; None where it is not complete yet.

        ``final``: nothing follows.
        """

    def begins(self, text: str) -> bool:
        """Whether a call without an opener of its own, in a list of calls, may begin with ``text``."""

    def write(self, call: ToolCall) -> str:
        """A call as the model would write it, without openers and closers.

        For templates that leave calls out of earlier answers."""

    def ruled(self) -> Sequence[Part] | None:
        """What stands between opener and closer, for a grammar to rule; None where none can."""


@dataclass(frozen=True, slots=True)
class Syntax:
    """How a model writes calls.

    Attributes:
        reader: takes one call apart.
        section, opener: what stands before the first call, and before each; written as the template does,
            blanks included. Either may be empty, and a model may leave out the blanks, or the section's.
        closers: the marks behind a call, which are no text.
        bare: a call may stand without an opener at the beginning of an answer (``start``), of a line in it
            (``line``), or nowhere (``""``).
        header: openers stand in the header of a message, not in its text.
        separated: what stands between calls of one section, besides blanks.
        lead: all that the template writes before the first call; None is ``section`` and
            ``opener``.
        closing: all that the template writes behind the last call.
        behind_end: calls may stand behind what otherwise ends an answer.
    """

    reader: CallReader
    section: str = ""
    opener: str = ""
    closers: tuple[str, ...] = ()
    bare: str = ""
    header: bool = False
    separated: str = ""
    lead: str | None = None
    closing: str = ""
    behind_end: bool = False

    @property
    def sample(self) -> str:
        """All marks that may stand in and around a call."""
        return "".join([self.section, self.opener, self.reader.write(_SAMPLE), *self.closers, self.closing])

    def without_marks(self, text: str) -> str:
        """What went wrong as a call, for people to read."""
        marks = {*_MARK.findall(self.sample), *(each for each in self.triggers if each[0] in "<[")}
        for mark in sorted(marks, key=len, reverse=True):
            text = text.replace(mark, " ")
        return text.strip()

    @property
    def marks(self) -> tuple[str, ...]:
        """The pieces of the openers, between blanks."""
        return tuple(dict.fromkeys([*self.section.split(), *self.opener.split()]))

    def write(self, calls: Sequence[ToolCall]) -> str:
        """Calls as the model would write them."""
        told = (f"{self.opener}{self.reader.write(each)}{self.closing}" for each in calls)
        return self.section + "\n".join(told)

    @property
    def triggers(self) -> tuple[str, ...]:
        """The pieces that a call, or a list of calls, may begin with."""
        section, opener = self.section.split(), self.opener.split()
        last = [each for each in opener[-1:] if each[0] in "<["]  # what some write without the first
        return tuple(dict.fromkeys([*section[:1], *opener[:1], *last]))


def behind_marks(text: str, start: int, marks: Sequence[str], skipped: str = "") -> int | None:
    """Where ``text`` goes on behind blanks, letters of ``skipped`` and ``marks``, in any order and number.

    None where its end may be the beginning of one of the marks.
    """
    place = start
    while True:
        while place < len(text) and (text[place].isspace() or text[place] in skipped):
            place += 1
        mark = max((each for each in marks if text.startswith(each, place)), key=len, default="")
        rest = text[place:]
        if not mark:
            return None if any(each.startswith(rest) for each in marks) and rest else place
        if any(len(each) > len(rest) and each.startswith(rest) for each in marks):
            return None
        place += len(mark)


def new_call(name: Any, arguments: Any, identity: Any, tools: Tools) -> ToolCall | None:
    """A call of the tool ``name``, with a value as its arguments; None where these cannot be any."""
    if isinstance(arguments, str):
        try:
            arguments = read_json(arguments) if arguments.strip() else {}
        except ValueError:
            return None
    arguments = {} if arguments is None else arguments
    if not isinstance(name, str) or not name.strip() or not isinstance(arguments, dict):
        return None
    try:
        told = written(arguments)
    except (ValueError, TypeError):  # Python has values that JSON has not
        return None
    # Some only count their calls, in each answer anew.
    known = identity if isinstance(identity, str) and ID_LENGTH <= len(identity) <= 64 else new_id()
    return ToolCall(known, known_name(name.strip(), tools), told)


def known_name(name: str, tools: Tools) -> str:
    """The name without what models put before it, where only that is known."""
    names = tools.names
    bare = name.removeprefix("functions.")
    return bare if name not in names and bare in names else name
