"""Follows an answer that may hold calls of tools, beside the parser of its family's format."""

import re
from copy import copy
from enum import Enum

from trchat.chat.formats.interface import Format, Marks, Parser, Place, Said, Written
from trchat.chat.tools.calls import Tools
from trchat.chat.tools.json_calls import bare_call
from trchat.chat.tools.syntax import Read, Syntax, behind_marks

_MAY_COMPLETE = re.compile("[\\]})>`\ufde0-\ufde2]")
"""Only with one of these can a call be complete; and only the beginning of one can show that it is none."""
_BEGINNING = 500
"""Letters of that beginning."""


class ToolFormat:
    """A format whose answers may hold calls; see ``trchat.chat.formats.interface.Format``."""

    def __init__(self, format: Format, syntax: Syntax, tools: Tools, marks: Marks) -> None:
        """``marks`` are those of ``format`` and of ``syntax``."""
        self._format = format
        self.syntax = syntax
        self.tools = tools
        self.marks = marks
        self.closing = format.closing

    def parser(self, tail: str) -> "ToolParser":
        """See ``Format``."""
        return ToolParser(self, self._format.parser(tail))

    def resumed(self, tail: str, reasoning: str | None, text: str) -> list[Written]:
        """See ``Format``."""
        return self._format.resumed(tail, reasoning, text)

    def resumed_parser(self, tail: str, reasoning: str | None, text: str) -> "ToolParser":
        """See ``Format``."""
        return ToolParser(self, self._format.resumed_parser(tail, reasoning, text), begun=bool(text))

    def closes(self, parser: Parser, token: int) -> bool:
        """See ``Format``."""
        assert isinstance(parser, ToolParser)
        return self._format.closes(parser.inner, token)


class _State(Enum):
    TEXT = "text"
    DOUBT = "doubt"
    """Behind an opener in reasoning. Mostly it is only mentioned; but some models do not end their reasoning
    before a call, and then nothing else follows."""
    CALL = "call"
    """Behind an opener."""
    BEHIND = "behind"
    """Behind a call: its closer, another call, or text."""
    OVER = "over"


class ToolParser:
    """See ``trchat.chat.formats.interface.Parser``. What is no call goes to ``inner``."""

    def __init__(self, format: ToolFormat, inner: Parser, *, begun: bool = False) -> None:
        """``begun``: the answer has words already."""
        self._format = format
        self._syntax, self._tools = format.syntax, format.tools
        marks = format.marks
        spelled = format.syntax.triggers
        self._triggers = tuple(dict.fromkeys([*map(marks.coded, spelled), *spelled]))
        self.inner = inner
        self._state = _State.TEXT
        self._waiting = ""
        """Output that may be part of a call, or of its opener."""
        self._trial: Parser | None = None
        """In doubt: a copy of ``inner`` that has read what waits, as reasoning."""
        self._tried = 0
        self._opened = 0
        """How many letters of it were the opener; none of a call that stands there without one."""
        self._blanks = ""
        """The end of the text so far, which is none if a call follows."""
        self._line = ""
        """What was given to ``inner`` of the line that it is in."""
        self._spoken = begun
        """Whether the answer has words."""
        self._fresh = False
        """Whether a call was the last thing in it."""
        self._listed = False
        """Whether calls stand in a list of JSON."""
        self._trims = False
        """Whether there was one, so that blanks at the end are none of its words."""

    def __copy__(self) -> "ToolParser":
        new = object.__new__(ToolParser)
        new.__dict__.update(self.__dict__)
        new.inner, new._trial = copy(self.inner), copy(self._trial)
        return new

    @property
    def place(self) -> Place:
        """Where in the answer its last token stands."""
        if self._state is _State.OVER:
            return Place.ENDED
        if self._state is _State.DOUBT:
            return Place.REASONING
        if self._state is not _State.TEXT or self._ruled_opener():
            return Place.CALL if self._tools.must else Place.MARKUP
        place = self.inner.place
        return Place.MARKUP if place is Place.ENDED and self._syntax.behind_end else place

    def push(self, text: str) -> Said:
        """Take in output, marks in code; what may be part of a mark or a call is held back."""
        fresh = self._state is not _State.CALL or self._worth_reading(text)
        self._waiting += text
        return self._advance(final=False) if fresh else Said()

    def finish(self, *, cut: bool = False) -> Said:
        """What was still held back when the output ended."""
        said = self._advance(final=True)
        said += self._settled(self.inner.finish(cut=cut))
        blanks, self._blanks = self._blanks, ""
        return said if self._trims else said + Said(text=blanks)

    def rule(self) -> None:
        """See ``Parser``."""
        self.inner.rule()

    def rest_of_mark(self) -> str:
        """See ``Parser``."""
        return self.inner.rest_of_mark()

    def expects_blanks(self) -> bool:
        """See ``Parser``."""
        return self._state is not _State.TEXT or self.inner.expects_blanks()

    def _ruled_opener(self) -> bool:
        """Whether there is the beginning of an opener, where a call is all that there can be."""
        return bool(self._tools.must and self._waiting) and self.inner.place is not Place.REASONING

    def _worth_reading(self, text: str) -> bool:
        return len(self._waiting) < _BEGINNING or _MAY_COMPLETE.search(text) is not None

    def _advance(self, final: bool) -> Said:
        said = Said()
        while True:
            before = self._state, self._waiting
            match self._state:
                case _State.TEXT:
                    said += self._in_text(final)
                case _State.DOUBT:
                    said += self._in_doubt(final)
                case _State.CALL:
                    said += self._in_call(final)
                case _State.BEHIND:
                    self._behind_call(final)
                case _State.OVER:
                    self._waiting = ""
            if (self._state, self._waiting) == before:
                return said

    def _in_text(self, final: bool) -> Said:
        """Up to the next opener."""
        found = self._next_trigger(final)
        if found is None:
            return self._to_inner(len(self._waiting) - (0 if final else self._held()))
        at, length = found
        said = self._to_inner(at)
        if self._may_call(length):
            self._state, self._opened = _State.CALL, length
            return said
        if length and self.inner.place is Place.REASONING and not self._syntax.header:
            self._state, self._opened = _State.DOUBT, length
            self._trial, self._tried = copy(self.inner), 0
            return said
        return said + self._to_inner(max(length, 1))

    def _in_doubt(self, final: bool) -> Said:
        """See whether the reasoning ends behind the opener; where it does not, it was a call."""
        assert self._trial is not None
        while self._tried < len(self._waiting):
            self._trial.push(self._waiting[self._tried])
            self._tried += 1
            if self._trial.place is not Place.REASONING:
                self._state, self._trial = _State.TEXT, None
                return self._to_inner(self._tried)
        if final:
            self._state, self._trial = _State.CALL, None
        return Said()

    def _may_call(self, length: int) -> bool:
        """Whether a call may stand where the inner parser is; it may not in reasoning."""
        place = self.inner.place
        if self._syntax.header:
            return place in (Place.START, Place.MARKUP)
        return place is not Place.REASONING and (place is not Place.ENDED or self._syntax.behind_end)

    def _next_trigger(self, final: bool) -> tuple[int, int] | None:
        """Where the first opener stands, and how long it is; 0 for a call without one."""
        text = self._waiting
        places = [
            (at, -len(each), len(each)) for each in self._triggers if each and (at := text.find(each)) >= 0
        ]
        bare = self._bare_at()
        if bare is not None:
            places.append((bare, 0, 0))
        if not places:
            return None
        at, _, length = min(places)
        longer = any(len(each) > length and each.startswith(text[at:]) for each in self._triggers)
        return None if longer and length and not final else (at, length)

    def _bare_at(self) -> int | None:
        """Where a call without an opener may stand."""
        bare = self._syntax.bare
        if not bare or (bare == "start" and (self._spoken or self._trims)):
            return None
        for match in re.finditer(r"^[ \t]*(?=\{)", self._waiting, re.MULTILINE):
            if bare == "start":
                return None if self._waiting[: match.start()].strip() else match.end()
            if match.start() or not self._line.strip() or not self._spoken:
                return match.end()
        return None

    def _held(self) -> int:
        """How many letters at the end may be the beginning of an opener."""
        text, longest = self._waiting, 0
        for each in self._triggers:
            for length in range(min(len(each) - 1, len(text)), longest, -1):
                if text.endswith(each[:length]):
                    longest = length
                    break
        return longest

    def _to_inner(self, length: int) -> Said:
        """Give the next letters to the parser of the format."""
        given, self._waiting = self._waiting[:length], self._waiting[length:]
        if not given:
            return Said()
        self._line = (self._line + Marks.shown(given)).rpartition("\n")[2]
        return self._settled(self.inner.push(given))

    def _settled(self, said: Said) -> Said:
        """Hold back the blanks at the end of a text: they are none if a call follows."""
        if said.recast:
            said, self._blanks = Said(self._blanks + said.reasoning, said.text, True), ""
        if not said.text:
            return said
        whole = self._blanks + (said.text.lstrip() if self._fresh else said.text)
        words = whole.rstrip()
        self._blanks = whole[len(words) :]
        self._spoken, self._fresh = self._spoken or bool(words), self._fresh and not words
        return Said(said.reasoning, words, said.recast)

    def _in_call(self, final: bool) -> Said:
        text = Marks.spelled(self._waiting)
        read = self._read(text, final)
        if read is None:
            return Said()
        taken = _coded_length(self._waiting, read.end)
        if read.call is not None:
            self._waiting = self._waiting[taken:]
            self._blanks, self._line = "", ""
            self._trims = self._fresh = True
            self._listed = self._listed or read.listed
            self._state = _State.BEHIND if self._tools.parallel else _State.OVER
            return Said(calls=(read.call,))
        if read.like_one and not final and self._closer_may_come(text, read.end):
            return Said()
        mentioned = not read.like_one or not self._opened or self.inner.place is Place.REASONING
        if mentioned:
            self._state = _State.TEXT
            return self._to_inner(max(self._opened, 1))
        self._state, self._trims = _State.BEHIND, True
        end = self._end_of_malformed(text, read.end)
        taken = _coded_length(self._waiting, end)
        meant, self._waiting = self._syntax.without_marks(text[:end]), self._waiting[taken:]
        # Where an opener stands in a header, the inner parser is in there, and takes no text.
        said = Said(text=meant) if self._syntax.header else self.inner.push(Marks.plain(meant))
        said = self._settled(said)
        self._blanks = "\n"
        return said

    def _read(self, text: str, final: bool) -> Read | None:
        syntax = self._syntax
        if not self._opened:
            return bare_call(text, self._tools, final)
        start = behind_marks(text, 0, syntax.marks)
        if start is None:
            if not final:
                return None
            start = len(text)
        if syntax.header:
            read = syntax.reader.read(text, start, self._tools, final)
            known = read is None or read.call is None or read.call.name in self._tools.names
            return read if known else Read(start)
        return syntax.reader.read(text, start, self._tools, final)

    def _closer_may_come(self, text: str, end: int) -> bool:
        """Whether the closer of what went wrong, which tells how far that reaches, is still to come."""
        closers = [each for each in self._syntax.closers if each[0] in "<["]
        found = any(each in text for each in closers)
        return bool(closers) and not found and len(text) - end < _BEGINNING

    def _end_of_malformed(self, text: str, end: int) -> int:
        """Up to where what went wrong reaches: its closer, if there is one."""
        closers = (each for each in self._syntax.closers if each[0] in "<[")
        places = [at + len(each) for each in closers if (at := text.find(each)) >= 0]
        return max(min(places, default=end), end) if end < len(text) else min(places, default=end)

    def _behind_call(self, final: bool) -> None:
        """Leave out the closer; see what follows."""
        syntax = self._syntax
        text = Marks.spelled(self._waiting)
        skipped = syntax.separated + (",[]" if self._listed else "")
        place = behind_marks(text, 0, syntax.closers, skipped)
        if place is None:
            if not final:
                return
            place = len(text)
        rest = text[place:]
        if not rest:
            # A separator or blanks: what follows them decides.
            self._waiting = ""
            return
        self._waiting = self._waiting[_coded_length(self._waiting, place) :]
        marks = (*syntax.opener.split()[:1], *syntax.section.split()[:1])
        opener = max((each for each in marks if rest.startswith(each)), key=len, default="")
        if opener:
            self._state, self._opened = _State.CALL, _coded_length(self._waiting, len(opener))
        elif any(each.startswith(rest) for each in marks) and not final:
            return
        elif self._listed and rest.startswith("{"):
            self._state, self._opened = _State.CALL, 1
        elif self._opened == 0 and rest.startswith("{"):
            self._state = _State.CALL  # another one without an opener
        elif not syntax.opener and syntax.reader.begins(rest):
            self._state, self._opened = _State.CALL, 1 if syntax.section else 0
        else:
            self._state = _State.TEXT


def _coded_length(coded: str, letters: int) -> int:
    """How much of ``coded`` spells its first ``letters``, a mark that is complete with them as a whole."""
    place = 0
    while place < len(coded) and (letters or coded[place] == Marks.END):
        letters -= Marks.spelled(coded[place]) != ""
        place += 1
    return place
