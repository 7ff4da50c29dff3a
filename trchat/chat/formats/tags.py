"""Reasoning between two tags, as nearly all models write it; the answer may have tags of its own."""

from dataclasses import dataclass

from trchat.chat.formats.interface import Marks, Place, Said, Written, first_of, held


@dataclass(frozen=True, slots=True)
class Quoting:
    """Where an answer's text stands: marks that are spelled inside code are talked about, not meant.

    Attributes:
        fenced: inside a block of code.
        line: its last line, as far as it goes.
    """

    fenced: bool = False
    line: str = ""

    def after(self, text: str) -> "Quoting":
        """Behind some more text."""
        *whole, last = (self.line + text).split("\n")
        fences = sum(line.lstrip().startswith(("```", "~~~")) for line in whole)
        return Quoting(self.fenced != (fences % 2 == 1), last)

    @property
    def in_code(self) -> bool:
        """Inside a block of code, or between backticks."""
        return self.fenced or self.line.count("`") % 2 == 1


@dataclass(frozen=True, slots=True)
class Tags:
    """What a template writes around reasoning and answer, in the code of ``Marks``; empty where nothing.

    Attributes:
        opening: all that the model writes before its reasoning, blanks included; ``opener`` is its last tag.
        closing: all from the reasoning to the answer, blanks included; ``closer`` is its first tag.
        answering: all that the model writes before an answer without reasoning.
        answer_opener: the tag right before an answer.
        answer_closer: the tag that ends an answer which began with ``answer_opener``.
        lead: the words with which the prompt, or the model, begins the reasoning, where no tag does.
        ends: what ends an answer wherever it stands.
        last: what is no part of an answer where it is the last thing in it.
        certain: opener and closer are never quoted, so that they count anywhere in an answer.
        dropped: what is no text wherever it stands.
    """

    opening: str = ""
    opener: str = ""
    closing: str = ""
    closer: str = ""
    answering: str = ""
    answer_opener: str = ""
    answer_closer: str = ""
    lead: str = ""
    ends: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    certain: bool = False
    dropped: tuple[str, ...] = ()


class TagFormat:
    """See ``trchat.chat.formats.interface.Format``."""

    def __init__(self, tags: Tags, marks: Marks) -> None:
        self.tags = tags
        self.marks = marks
        self.closing = Marks.spelled(tags.closing)

    def parser(self, tail: str) -> "TagParser":
        """For an answer to a prompt that has ``tail`` behind the last question."""
        place, lead = self._opened(tail)
        return TagParser(self, place, pending=lead, closed=place is Place.MARKUP)

    def resumed(self, tail: str, reasoning: str | None, text: str) -> list[Written]:
        """What goes behind such a prompt for an answer to go on that says this much already."""
        tags = self.tags
        place, lead = self._opened(tail)
        written: list[Written] = []
        if place is Place.REASONING:
            blanks = lead[len(lead.rstrip()) :]
            rest = (reasoning or "").removeprefix(lead.strip())
            written.append(Written(rest.removeprefix(blanks) if lead.strip() else rest, False))
        elif reasoning and tags.closer:
            begun = reasoning + self._blanks_behind(reasoning)
            written += [self._markup(tags.opening or tags.opener), Written(begun, False)]
        if not text:
            return written
        if written:
            written.append(self._markup(tags.closing))
        elif place is Place.MARKUP:
            written.append(self._markup(tags.answer_opener if tags.answer_opener not in tail else ""))
        else:
            written.append(self._markup(tags.answering))
        return [*written, Written(text, False)]

    def resumed_parser(self, tail: str, reasoning: str | None, text: str) -> "TagParser":
        """For what follows ``resumed``."""
        if text:
            return TagParser(self, Place.ANSWER, closed=True, wrapped=bool(self.tags.answer_opener))
        if reasoning and self.tags.closer:
            return TagParser(self, Place.REASONING, pending=self._blanks_behind(reasoning), begun=True)
        return self.parser(tail)

    def closes(self, parser: object, token: int) -> bool:
        """Whether ``token`` ends no more than the part that ``parser`` is in."""
        assert isinstance(parser, TagParser)
        return parser.place is Place.REASONING and self.marks.of_token(token) == self.tags.closer

    def _opened(self, tail: str) -> tuple[Place, str]:
        """Where an answer to this prompt begins, and the words with which the prompt began its reasoning."""
        tags, tail = self.tags, self.marks.coded(tail)
        if not tags.closer:
            return Place.START, ""
        opened = tail.rfind(tags.opener) if tags.opener else -1
        closed = tail.rfind(tags.closer)
        if opened > closed:
            return Place.REASONING, tail[opened + len(tags.opener) :]
        if closed >= 0 and (opened >= 0 or tags.closer not in tags.ends):  # else it ends the question
            return Place.MARKUP, ""
        if tags.lead.strip() and tail.rstrip().endswith(tags.lead.strip()):
            return Place.REASONING, tags.lead
        return Place.START, ""

    def _blanks_behind(self, reasoning: str) -> str:
        """What a cut has left out of the words that begin the reasoning, where it has no others yet."""
        lead = self.tags.lead
        return lead[len(lead.rstrip()) :] if lead and reasoning.strip() == lead.strip() else ""

    @staticmethod
    def _markup(coded: str) -> Written:
        return Written(Marks.spelled(coded), True)


AS_WRITTEN = TagFormat(Tags(), Marks((), {}, ()))
"""All that is written is the answer."""


class TagParser:
    """Follows one answer; see ``trchat.chat.formats.interface.Parser``."""

    def __init__(
        self,
        format: TagFormat,
        place: Place,
        *,
        pending: str = "",
        closed: bool = False,
        begun: bool = False,
        wrapped: bool = False,
    ) -> None:
        """``pending`` is reasoning that the prompt began; ``closed``: reasoning was ended before this.

        ``begun``: the part we are in has words already. ``wrapped``: the answer began with a tag of its own.
        """
        self.place = place
        self._tags = format.tags
        self._waiting = pending
        self._closed = closed
        self._begun = begun
        self._wrapped = wrapped
        self._thought = begun
        self._tagged = begun or wrapped
        self._ruled = False
        self._quoting = Quoting()
        self._openers = 0
        """Openers in the answer's text that were only mentioned, and wait for their closers."""

    def push(self, text: str) -> Said:
        """Take in output, marks in code; what may be part of a mark is held back."""
        self._waiting += text
        said = Said()
        while True:
            before = self.place, self._waiting
            match self.place:
                case Place.START | Place.MARKUP:
                    said += self._between_parts()
                case Place.REASONING:
                    said += self._in_reasoning()
                case Place.ANSWER if self._ruled:
                    said += self._say(self._waiting)
                    self._waiting = ""
                case Place.ANSWER:
                    said += self._in_answer()
                case Place.ENDED:
                    self._waiting = ""
            if (self.place, self._waiting) == before:
                return said

    def finish(self, *, cut: bool = False) -> Said:
        """What was still held back when the output ended; see ``Parser``."""
        rest, self._waiting = self._waiting, ""
        if cut and self.place is not Place.REASONING:
            return Said()
        if self.place is Place.REASONING:
            # A tag that was cut is no thought, and is written anew where the answer goes on.
            rest = rest[: len(rest) - held(rest, (self._tags.closer, *self._tags.ends))].rstrip()
            return Said(reasoning=self._shown(rest if self._begun else rest.lstrip()))
        if self.place is Place.MARKUP:
            return Said(text=self._shown(_without_first_blanks(rest)))
        return Said(text=self._shown(rest[: len(rest) - _last(rest, self._tags.last)]))

    def rule(self) -> None:
        """A grammar rules from here on: all is the answer, whatever it looks like."""
        self._ruled = True
        if not self._waiting.strip():  # else a mark was begun, and is written to its end
            self.place, self._waiting = Place.ANSWER, ""

    def rest_of_mark(self) -> str:
        """What is missing of a mark, spelled in letters, whose beginning is held back; mostly empty."""
        body = self._waiting.lstrip()
        ways = {self._tags.closer: Place.MARKUP} if self.place is Place.REASONING else self._ways()
        likely = Place.REASONING if self.place is Place.START else Place.ANSWER
        if self.place is Place.START:
            ways[self._tags.lead.strip()] = Place.REASONING
        begun = max(ways, key=lambda mark: (held(body, [mark]), ways[mark] is likely), default="")
        length = held(body, [begun])
        return Marks.spelled(begun[length:]) if length else ""

    def expects_blanks(self) -> bool:
        """At the end of a closing tag, and where the template puts some before an opening one."""
        if self.place is Place.MARKUP:
            return not self._waiting.strip(" \t\n")
        tags, body = self._tags, self._waiting.lstrip()
        return bool(self._waiting) and (
            tags.opening.startswith(self._waiting) or (bool(body) and tags.lead.startswith(body))
        )

    def _ways(self) -> dict[str, Place]:
        """The marks that may stand before a part, and what each of them begins."""
        tags = self._tags
        ways = {
            tags.answering.strip(): Place.ANSWER,
            tags.closing.strip().removeprefix(tags.closer).strip(): Place.ANSWER,
            tags.answer_opener: Place.ANSWER,
            tags.closer: Place.MARKUP,
            tags.opening.strip(): Place.REASONING,
            tags.opener: Place.REASONING,
        }
        ways.pop("", None)
        return ways

    def _between_parts(self) -> Said:
        """Before the first part, or between two: a tag, the beginning of one, or the answer."""
        body, ways = self._waiting.lstrip(), self._ways()
        for literal in sorted(ways, key=len, reverse=True):
            if body.startswith(literal):
                self._waiting = body[len(literal) :]
                return self._go(ways[literal], wrapped=True)
        lead = self._tags.lead.strip()
        if lead and self.place is Place.START and body.startswith(lead):
            return self._go(Place.REASONING)
        if not body or any(literal.startswith(body) for literal in (*ways, lead)):
            return Said()
        if self.place is Place.MARKUP:
            self._waiting = _without_first_blanks(self._waiting)
        return self._go(Place.ANSWER)

    def _in_reasoning(self) -> Said:
        tags = self._tags
        if not self._begun:
            body = self._waiting.lstrip()
            if tags.opener and body.startswith(tags.opener):  # some open again what the prompt has opened
                self._waiting = body[len(tags.opener) :]
                return Said()
            if not body or tags.opener.startswith(body):
                return Said()
            self._waiting = body
        literals = [tags.closer, tags.answer_opener, *tags.ends]
        found = first_of(self._waiting, literals)
        if found is not None:
            at, literal = found
            words, self._waiting = self._waiting[:at].rstrip(), self._waiting[at + len(literal) :]
            said = self._think(words)
            if literal == tags.closer:
                return said + self._go(Place.MARKUP)
            return said + self._go(
                Place.ANSWER if literal == tags.answer_opener else Place.ENDED, wrapped=True
            )
        keep = held(self._waiting, literals)
        words = self._waiting[: len(self._waiting) - keep].rstrip()
        self._waiting = self._waiting[len(words) :]
        return self._think(words)

    def _in_answer(self) -> Said:
        tags = self._tags
        literals = [*tags.ends, *([tags.answer_closer] if self._wrapped else [])]
        if tags.certain or not self._closed:
            literals += [tags.closer, tags.opener]
        found = first_of(self._waiting, literals)
        if found is None:
            end = len(self._waiting) - held(self._waiting, literals)
            end -= _last(self._waiting[:end], tags.last, True)
            end = min(end, len(self._waiting) - _last(self._waiting, tags.last, True))
            said, self._waiting = self._say(self._waiting[:end]), self._waiting[end:]
            return said
        at, literal = found
        words, self._waiting = self._waiting[:at], self._waiting[at + len(literal) :]
        said = self._say(words)
        if self._mentions(literal):
            self._quoting = self._quoting.after(literal)
            return said + Said(text=Marks.shown(literal))
        if literal in tags.ends or literal == tags.answer_closer:
            return Said(text=self._shown(words[: len(words) - _last(words, tags.last)])) + self._go(
                Place.ENDED
            )
        if literal == tags.opener:
            return said + self._go(Place.REASONING)
        if self._tagged:  # one closer too many
            return said
        return said + Said(recast=True) + self._go(Place.MARKUP)

    def _mentions(self, literal: str) -> bool:
        """Whether a mark in the text of an answer is only spoken of."""
        if Marks.is_hidden(literal):
            return False
        if self._quoting.in_code:
            return True
        if self._tags.certain:
            return False
        if literal == self._tags.opener:  # here it opens nothing; one that begins a line may have been meant
            self._openers += bool(self._quoting.line.strip())
            return True
        mentioned = literal == self._tags.closer and self._openers > 0
        self._openers -= mentioned
        return mentioned

    def _say(self, words: str) -> Said:
        self._quoting = self._quoting.after(words)
        return Said(text=self._shown(words))

    def _think(self, words: str) -> Said:
        if not words:
            return Said()
        parted = "\n\n" if self._thought and not self._begun else ""
        self._begun = self._thought = True
        return Said(reasoning=parted + self._shown(words))

    def _go(self, place: Place, wrapped: bool = False) -> Said:
        self.place = place
        self._begun = False
        self._wrapped = wrapped
        self._closed = self._closed or place is Place.MARKUP
        self._tagged = self._tagged or wrapped or place in (Place.MARKUP, Place.REASONING)
        return Said()

    def _shown(self, text: str) -> str:
        for literal in self._tags.dropped:
            text = text.replace(literal, "")
        return Marks.shown(text)


def _without_first_blanks(text: str) -> str:
    """``text`` without empty lines before it, and without blanks on the line of the tag before it."""
    blanks = len(text) - len(text.lstrip())
    line = text.rfind("\n", 0, blanks)
    return text[line + 1 :] if line >= 0 else text[blanks:]


def _last(text: str, words: tuple[str, ...], begun: bool = False) -> int:
    """How much of the end of ``text`` is one of ``words``, blanks behind it too; or, of one ``begun``."""
    body = text.rstrip()
    whole = next((len(text) - len(body) + len(word) for word in words if body.endswith(word)), 0)
    return max(whole, held(text, words)) if begun else whole
