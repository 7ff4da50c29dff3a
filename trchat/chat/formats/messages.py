"""Answers that are several messages, each with a header that says whom or what it is for."""

from trchat.chat.formats.interface import Marks, Place, Said, Written, first_of, held


class MessageFormat:
    """A kind of format: ``START role header MESSAGE body END``, again and again; see ``interface.Format``.

    The prompt ends behind the first role, so an answer begins with a header.

    Attributes:
        start, message: the marks around a header; ``role`` is what it begins with.
        ends: the marks that end a body.
        thinking, speaking: headers of reasoning, and of an answer.
    """

    start: str
    role: str
    message: str
    ends: tuple[str, ...]
    thinking: str
    speaking: str

    def __init__(self, marks: Marks) -> None:
        self.marks = marks
        self.closing = self.ends[0] + self.start + self.role + self.speaking + self.message

    def kind(self, header: str) -> Place | None:
        """What a message with this header is: REASONING, ANSWER, or None, for others than the reader."""
        raise NotImplementedError

    def begins_header(self, text: str) -> bool:
        """Whether output that begins with ``text`` may begin with a header."""
        raise NotImplementedError

    def is_over(self, header: str, end: str) -> bool:
        """Whether nothing follows a message with this header that ends with the mark ``end``."""
        raise NotImplementedError

    def parser(self, tail: str) -> "MessageParser":
        """For an answer to a prompt that has ``tail`` behind the last question."""
        return MessageParser(self)

    def resumed(self, tail: str, reasoning: str | None, text: str) -> list[Written]:
        """What goes behind such a prompt for an answer to go on that says this much already."""
        written: list[Written] = []
        if reasoning:
            written = [Written(self.thinking + self.message, True), Written(reasoning, False)]
        if text:
            header = self.closing if written else self.speaking + self.message
            written += [Written(header, True), Written(text, False)]
        return written

    def resumed_parser(self, tail: str, reasoning: str | None, text: str) -> "MessageParser":
        """For what follows ``resumed``."""
        return MessageParser(self, self.speaking if text else self.thinking if reasoning else None)

    def closes(self, parser: object, token: int) -> bool:
        """Whether ``token`` ends no more than the part that ``parser`` is in."""
        assert isinstance(parser, MessageParser)
        end = Marks.spelled(self.marks.of_token(token) or "")
        return end in self.ends and not self.is_over(parser.header, end)


class MessageParser:
    """Follows one answer; see ``interface.Parser``."""

    def __init__(self, format: MessageFormat, header: str | None = None) -> None:
        """``header`` is that of the message which goes on, where one does."""
        self._format = format
        self._start, self._message = format.marks.coded(format.start), format.marks.coded(format.message)
        self._ends = tuple(map(format.marks.coded, format.ends))
        self._waiting = ""
        self._begun: frozenset[Place] = frozenset()
        """Parts that have words already, in this answer or before it went on."""
        self._parted = False
        """Whether the message we are in has words already."""
        self.place = Place.START
        self._other = False
        self._ruled = False
        self.header = header or ""
        if header is not None:
            self.place = format.kind(header) or Place.MARKUP
            self._begun |= {self.place}
            self._parted = True

    def push(self, text: str) -> Said:
        """Take in output, marks in code; what may be part of a mark is held back."""
        self._waiting += text
        said = Said()
        while True:
            before = self.place, self._other, self._waiting
            if self.place is Place.ENDED:
                self._waiting = ""
            elif self.place is Place.ANSWER and self._ruled:
                said += self._body(self._waiting)
                self._waiting = ""
            elif self.place in (Place.ANSWER, Place.REASONING) or self._other:
                said += self._in_body()
            else:
                self._in_header()
            if (self.place, self._other, self._waiting) == before:
                return said

    def finish(self, *, cut: bool = False) -> Said:
        """What was still held back when the output ended."""
        rest, self._waiting = self._waiting, ""
        if self.place is Place.REASONING:
            rest = rest[: len(rest) - held(rest, self._ends)].rstrip()  # a mark that was cut is no thought
            return Said(reasoning=Marks.shown(rest if self._parted else rest.lstrip()))
        return Said(text=Marks.shown(rest)) if self.place is Place.ANSWER and not cut else Said()

    def rule(self) -> None:
        """A grammar rules from here on: all is the answer, whatever it looks like."""
        self._ruled = True
        if self.place is Place.START:
            self._enter(self._format.speaking)

    def rest_of_mark(self) -> str:
        """Nothing: the marks of these formats are tokens in every vocabulary."""
        return ""

    def expects_blanks(self) -> bool:
        """Inside a header, and where one begins with some."""
        if self.place is not Place.START or self._waiting.strip():
            return self.place is Place.MARKUP or bool(self._waiting.strip())
        headers = (self._format.thinking, self._format.speaking)
        return bool(self._waiting) and any(each.startswith(self._waiting) for each in headers)

    def _in_header(self) -> None:
        found = first_of(self._waiting, (self._start, self._message, *self._ends))
        at, mark = found or (len(self._waiting), "")
        header = Marks.spelled(self._waiting[:at])
        if self.place is Place.START and header.strip() and not self._format.begins_header(header.lstrip()):
            self._enter(self._format.speaking)  # without a header it is an answer
        elif mark:
            self._waiting = self._waiting[at + len(mark) :]
            if mark == self._message:
                self._enter(header)
            else:
                self.place = Place.MARKUP

    def _in_body(self) -> Said:
        if self.place is Place.REASONING and not self._parted:
            self._waiting = self._waiting.lstrip()
        marks = (*self._ends, self._start)
        found = first_of(self._waiting, marks)
        end = len(self._waiting) - held(self._waiting, marks) if found is None else found[0]
        words = self._waiting[:end]
        if self.place is Place.REASONING:
            words = words.rstrip()  # blanks wait for what follows them
        said = self._body(words)
        if found is None:
            self._waiting = self._waiting[len(words) :]
            return said
        self._waiting = self._waiting[end + len(found[1]) :]
        over = self._format.is_over(self.header, Marks.spelled(found[1]))
        self.place, self._other = Place.ENDED if over else Place.MARKUP, False
        return said

    def _enter(self, header: str) -> None:
        kind = self._format.kind(header)
        self.header, self.place, self._other = header, kind or Place.MARKUP, kind is None
        self._parted = False

    def _body(self, words: str) -> Said:
        if not words or self._other:
            return Said()
        parted = "\n\n" if self.place in self._begun and not self._parted else ""
        self._begun |= {self.place}
        self._parted = True
        shown = parted + Marks.shown(words)
        return Said(text=shown) if self.place is Place.ANSWER else Said(reasoning=shown)
