"""Reads an answer token by token: what is reasoning, what is said, and when it is over."""

import codecs
from collections import deque
from collections.abc import Collection, Sequence
from copy import copy
from typing import Protocol

from trchat.chat.formats.interface import Format, Marks, Parser, Place, Said, first_of, held
from trchat.chat.tools.calls import ToolCall


class Vocabulary(Protocol):
    """What is needed of a model (see trchat.llama.model)."""

    @property
    def end_tokens(self) -> Collection[int]: ...  # noqa: D102

    def piece(self, token: int) -> bytes: ...  # noqa: D102

    def tokenize(self, text: str, *, parse_special: bool = False) -> list[int]: ...  # noqa: D102


_SPOKEN = (Place.START, Place.ANSWER, Place.ENDED)


class AnswerReader:
    """Follows one answer; each token is given to ``take`` once, as it is chosen.

    Attributes:
        reasoning, text: what came so far, without what is held back because it may be part of a mark.
        calls: of tools, those that are complete.
        reasoning_tokens: how many tokens were reasoning.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        format: Format,
        parser: Parser,
        stops: Sequence[str] = (),
        think_budget: int | None = None,
        ruled: bool = False,
    ) -> None:
        """``parser`` is one of ``format``'s. An answer ends before the first of ``stops`` in its text.

        Reasoning is closed after ``think_budget`` tokens, those of several stretches together. ``ruled``: a
        grammar rules the answer, so that what looks like a mark in it is none.
        """
        self._vocabulary = vocabulary
        self._format = format
        self._parser = parser
        self._stops = tuple(stops)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._waiting = ""
        """The end of the text, where it may be the beginning of one of ``stops``."""
        self._said: list[Said] = []
        self._spoken: list[bool] = []
        self._forced: deque[int] = deque()
        self._over = False
        self._budget = think_budget
        self._ruled = ruled
        self._closing = False
        """Whether this stretch of reasoning has been told to end."""
        self.reasoning = ""
        self.text = ""
        self.calls: list[ToolCall] = []
        self.reasoning_tokens = 0
        self._keep_to_budget()

    @property
    def place(self) -> Place:
        """Where in the answer its last token stands."""
        return self._parser.place

    def take(self, token: int) -> bool:
        """Read the next token; whether it is the answer's last one."""
        if self._ruled and self._parser.place is Place.ANSWER:
            self._parser.rule()
        ends, thinking = self._ends(token), self._parser.place is Place.REASONING
        self._add(Said() if ends else self._before_stop(self._parser.push(self._output(token))))
        self.reasoning_tokens += thinking
        self._spoken.append(not (ends or thinking) and self._parser.place in _SPOKEN)
        if ends or self._over or self._parser.place is Place.ENDED:
            self.finish()
            return True
        if self._budget and thinking:
            self._budget -= 1
        self._keep_to_budget()
        return False

    def finish(self, *, cut: bool = False) -> None:
        """No token follows: let go what was held back. More calls do nothing. ``cut``: see ``Parser``."""
        if self._over:
            return
        said = self._parser.push(Marks.plain(self._decoder.decode(b"", final=True)))
        said = self._before_stop(said + self._parser.finish(cut=cut))
        if not self._over:
            said += Said(text=self._waiting)
        self._over, self._waiting = True, ""
        latest = self._said.pop() if self._said else Said()
        self._add(said, latest)

    def news(self) -> list[Said]:
        """What each token since the last call has brought."""
        said, self._said = self._said, []
        return said

    def spoken(self) -> list[bool]:
        """Of each token since the last call, whether it is one of the answer's text."""
        spoken, self._spoken = self._spoken, []
        return spoken

    def close_reasoning(self) -> None:
        """Let the next tokens be those that end the reasoning, whatever the model says; see ``outside``."""
        if self._parser.place is Place.REASONING and not self._forced:
            self._forced.extend(self._vocabulary.tokenize(self._format.closing, parse_special=True))

    def forced(self) -> int | None:
        """The next of the tokens that come whatever the model says; None where it chooses."""
        return self._forced.popleft() if self._forced else None

    @property
    def answering(self) -> bool:
        """Whether the answer has begun, so that a grammar rules all that comes."""
        return self._parser.place in (Place.ANSWER, Place.CALL) and not self._forced

    def outside(self, token: int) -> int | None:
        """What to emit, now that ``token`` was chosen freely, where no grammar rules; None where one does.

        That is the token itself inside reasoning and mark-up, and another one where a mark must be written to
        its end. To be called once for every token that is emitted, before ``take``. (See
        trchat.llama.sampler.Guide.)
        """
        if self._forced:
            return self._forced.popleft()
        if (emitted := self._freely(token)) is None:
            self._parser.rule()
        return emitted

    def _freely(self, token: int) -> int | None:
        place = self._parser.place
        if place in (Place.ANSWER, Place.CALL):
            return None
        if self._ends(token):
            if place is Place.REASONING:  # an answer is wanted
                self.close_reasoning()
            return self._forced.popleft() if self._forced else None
        trial = copy(self._parser)
        output = self._output(token, copy(self._decoder))
        said = trial.push(output)
        if trial.place is Place.CALL:
            return None
        if place is not Place.REASONING and not output.strip() and not trial.expects_blanks():
            return None
        if said.text.strip():
            if rest := self._parser.rest_of_mark():
                self._forced.extend(self._following(rest))
            return self._forced.popleft() if self._forced else None
        return token

    def _keep_to_budget(self) -> None:
        if self._parser.place is not Place.REASONING:
            self._closing = False
        elif self._budget == 0 and not self._closing and not self._decoder.getstate()[0]:
            self._closing = True  # once: what does not end the reasoning now never will
            self.close_reasoning()

    def _ends(self, token: int) -> bool:
        return token in self._vocabulary.end_tokens and not self._format.closes(self._parser, token)

    def _output(self, token: int, decoder: codecs.IncrementalDecoder | None = None) -> str:
        """A token as parsers read it; empty while a character is unfinished."""
        decoder = decoder or self._decoder
        code = self._format.marks.of_token(token)
        if code is None:
            return Marks.plain(decoder.decode(self._vocabulary.piece(token)))
        broken_off = decoder.decode(b"", final=True)
        decoder.reset()
        return broken_off + code

    def _before_stop(self, said: Said) -> Said:
        """What stands before the first of ``stops``; the beginning of one waits for its end."""
        if not self._stops:
            return said
        reasoning = said.reasoning
        if said.recast:
            reasoning, self._waiting = self._waiting + reasoning, ""
        text = self._waiting + said.text
        found = first_of(text, self._stops)
        if found is not None:
            self._over, self._waiting = True, ""
            return Said(reasoning, text[: found[0]], said.recast, said.calls)
        end = len(text) - held(text, self._stops)
        self._waiting = text[end:]
        return Said(reasoning, text[:end], said.recast, said.calls)

    def _add(self, said: Said, latest: Said | None = None) -> None:
        whole = Said(self.reasoning, self.text) + said
        self.reasoning, self.text = whole.reasoning.lstrip() if said.recast else whole.reasoning, whole.text
        self.calls += said.calls
        self._said.append(said if latest is None else latest + said)

    def _following(self, rest: str) -> list[int]:
        """Tokens that write ``rest`` behind other letters."""
        before = self._vocabulary.tokenize("<")
        both = self._vocabulary.tokenize("<" + rest)
        return both[len(before) :] if both[: len(before)] == before else self._vocabulary.tokenize(rest)
