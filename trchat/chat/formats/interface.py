"""What every format offers, and the code by which marks of the vocabulary are told from their letters."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from trchat.chat.tools.calls import ToolCall


class Place(Enum):
    """Where in an answer its last token stands."""

    START = "start"
    """Nothing that counts was written yet."""
    REASONING = "reasoning"
    MARKUP = "markup"
    """Between two parts: inside a header, or behind a mark that the answer's own first one may follow."""
    ANSWER = "answer"
    CALL = "call"
    """Inside a call of a tool that a grammar rules."""
    ENDED = "ended"
    """Nothing more will be part of the answer, whatever is written."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a stretch of output adds to the reasoning and to the answer.

    ``recast``: what was said as the answer before this was reasoning, as a mark tells only now. ``calls`` are
    those of tools that are complete with it.
    """

    reasoning: str = ""
    text: str = ""
    recast: bool = False
    calls: tuple[ToolCall, ...] = ()

    def __add__(self, later: "Said") -> "Said":
        """Both as one."""
        if later.recast:
            reasoning = self.reasoning + self.text + later.reasoning
            return Said(reasoning, later.text, True, self.calls + later.calls)
        return Said(
            self.reasoning + later.reasoning, self.text + later.text, self.recast, self.calls + later.calls
        )


class Parser(Protocol):
    """Follows one answer; give it the output piece by piece, in any pieces.

    A copy (``copy.copy``) goes on by itself, so that it can be tried what a token would do. Calls of tools
    are the business of a parser around this one (``trchat.chat.tools.parser``).
    """

    @property
    def place(self) -> Place:
        """Where the last token stands."""

    def push(self, text: str) -> Said:
        """Take in output, marks in the code of ``Marks``; what may be part of a mark is held back."""

    def finish(self, *, cut: bool = False) -> Said:
        """What was still held back when the output ended.

        ``cut``: it would have gone on. Then the beginning of a mark is taken for one: the answer that goes on
        writes it anew.
        """

    def rule(self) -> None:
        """A grammar rules from here on: all is the answer, whatever it looks like."""

    def rest_of_mark(self) -> str:
        """What is missing of a mark, spelled in letters, whose beginning is held back; mostly empty."""

    def expects_blanks(self) -> bool:
        """Whether blanks that were just taken in belong to a mark that follows or went before."""


@dataclass(frozen=True, slots=True)
class Written:
    """A stretch of a prompt: the template's own words (``markup``), or what somebody said."""

    text: str
    markup: bool


class Format(Protocol):
    """How one model writes its answers.

    Attributes:
        marks: the code of the marks that its parsers look for.
        closing: what the template writes between reasoning and answer; empty where reasoning is unknown.
    """

    marks: "Marks"
    closing: str

    def parser(self, tail: str) -> Parser:
        """For an answer to a prompt that has ``tail`` behind the last question."""

    def resumed(self, tail: str, reasoning: str | None, text: str) -> list[Written]:
        """What goes behind such a prompt for an answer to go on that says this much already.

        Reasoning that no text follows was cut, and stays open.
        """

    def resumed_parser(self, tail: str, reasoning: str | None, text: str) -> Parser:
        """For what follows ``resumed``."""

    def closes(self, parser: Parser, token: int) -> bool:
        """Whether ``token``, though it may end a generation, ends no more than the part ``parser`` is in."""


_CONTROL, _USER, _END = "\ufde0", "\ufde1", "\ufde2"
_CONTROLS = re.compile(f"{_CONTROL}[^{_END}]*{_END}")
_CODE = re.compile(f"[{_CONTROL}{_USER}{_END}]")


class Marks:
    """Tells a token of the vocabulary from the same letters in ordinary tokens.

    A mark that is a token is written with noncharacters around it, so that looking for it is looking for a
    string, and a model that quotes its letters does not write it.
    """

    END = _END
    """Behind each mark."""

    def __init__(self, spellings: Iterable[str], ids: Mapping[str, int], control: Iterable[str]) -> None:
        """Those of ``spellings`` that are special tokens (``ids``); ``control`` ones have no text."""
        known = {text: ids[text] for text in spellings if text in ids}
        hidden = frozenset(control)
        self._codes = {text: f"{_CONTROL if text in hidden else _USER}{text}{_END}" for text in known if text}
        self._by_id = {known[text]: code for text, code in self._codes.items()}
        longest_first = sorted(self._codes, key=len, reverse=True)
        self._any = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def of_token(self, token: int) -> str | None:
        """The code of a token that is a mark."""
        return self._by_id.get(token)

    def coded(self, literal: str) -> str:
        """A template's words with the tokens among them in code."""
        return self._any.sub(lambda match: self._codes[match.group()], literal)

    @property
    def spellings(self) -> Iterable[str]:
        """What they are made of, as the vocabulary has it."""
        return self._codes.keys()

    @staticmethod
    def spelled(coded: str) -> str:
        """What ``coded`` was made of."""
        return _CODE.sub("", coded)

    @staticmethod
    def is_hidden(coded: str) -> bool:
        """Whether it begins with a control token, which nobody quotes."""
        return coded.startswith(_CONTROL)

    @staticmethod
    def plain(text: str) -> str:
        """Text of ordinary tokens, which cannot hold code."""
        return _CODE.sub("\ufffd", text)

    @staticmethod
    def shown(text: str) -> str:
        """Output as people read it: user-defined tokens are text, control tokens are not."""
        return _CODE.sub("", _CONTROLS.sub("", text))


def held(text: str, literals: Iterable[str]) -> int:
    """How many characters at the end of ``text`` may be the beginning of one of ``literals``."""
    longest = 0
    for literal in literals:
        for length in range(min(len(literal) - 1, len(text)), longest, -1):
            if text.endswith(literal[:length]):
                longest = length
                break
    return longest


def first_of(text: str, literals: Iterable[str]) -> tuple[int, str] | None:
    """Where the first of ``literals`` stands in ``text``, and which; the longer of two at one place."""
    found = [(at, -len(each), each) for each in literals if each and (at := text.find(each)) >= 0]
    if not found:
        return None
    at, _length, literal = min(found)
    return at, literal
