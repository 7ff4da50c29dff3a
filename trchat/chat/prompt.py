"""A conversation to token ids, in which only the template can spell special tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from trchat.chat.formats.find import find_format, tail_of
from trchat.chat.plain_text import (
    PLAIN_MARK,
    PlainText,
    free_mark,
    looks_like_a_marker,
    markers_in,
    without_mark,
)
from trchat.chat.template import ChatTemplate, Turn, Verbatim
from trchat.errors import TrchatError, UsageError

_SAMPLE = (
    Turn("system", "qsystemq"),
    Turn("user", "qfirstq"),
    Turn("assistant", "qanswerq"),
    Turn("user", "qsecondq"),
)


class Vocabulary(Protocol):
    """What is needed of a model (see trchat.llama.model)."""

    n_vocab: int
    adds_bos: bool
    bos_text: str
    control_texts: frozenset[str]
    user_defined_texts: frozenset[str]

    @property
    def special_ids(self) -> Mapping[str, int]: ...  # noqa: D102

    def tokenize(  # noqa: D102
        self, text: str, *, add_special: bool = False, parse_special: bool = False
    ) -> list[int]: ...


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is given.

    Attributes:
        ids: its tokens.
        tail: the template's words behind the last question, which may have begun the answer.
    """

    ids: list[int]
    tail: str = ""


class PromptBuilder:
    """Renders by ``template`` and tokenises with ``vocabulary``; what the turns contain stays plain text.

    Attributes:
        format: how the model writes its answers, as far as template and vocabulary tell.
    """

    def __init__(self, template: ChatTemplate, vocabulary: Vocabulary) -> None:
        self._template = template
        self._vocabulary = vocabulary
        written = template.source
        markers = markers_in(written, self._sample(), [turn.content for turn in _SAMPLE])
        tokens = {*vocabulary.control_texts}
        tokens.update(
            text for text in vocabulary.user_defined_texts if looks_like_a_marker(text) or text in markers
        )
        self.plain_text = PlainText(tokens, markers)
        found = find_format(written, template.sample, vocabulary)
        self.format = found.format
        template.carry = found.carry

    def build(
        self,
        turns: Sequence[Turn],
        variables: Mapping[str, object] | None = None,
        opening: Turn | None = None,
    ) -> Prompt:
        """The prompt for the next answer, or for one to go on that says ``opening`` already.

        Takes and raises what ChatTemplate.render does.
        """
        tail = self._tail(turns, variables)
        written = [] if opening is None else self.format.resumed(tail, opening.reasoning, opening.content)
        contents = [text for turn in turns for text in (turn.content, turn.reasoning or "")]
        contents += [each.text for each in written if not each.markup]

        def rendered(mark: str) -> str:
            whole = self._template.render([self._broken(turn, mark) for turn in turns], variables)
            parts = (
                each.text if each.markup else self.plain_text.break_up(each.text, mark) for each in written
            )
            return whole + "".join(parts)

        if all(map(self.plain_text.is_clean, contents)):
            return Prompt(self._tokenize(rendered(PLAIN_MARK)), tail)
        mark = free_mark(contents)
        if mark is not None:
            whole = rendered(mark)
            ids = without_mark(self._tokenize(whole), mark, whole.count(mark), self._vocabulary.tokenize)
            if ids is not None:
                return Prompt(ids, tail)
        return Prompt(self._tokenize(rendered(PLAIN_MARK)), tail)

    def verbatim(self, text: Verbatim) -> Prompt:
        """The prompt that somebody wrote themselves. Raises UsageError for tokens that there are not."""
        if isinstance(text.text, str):
            return Prompt(self._tokenize(text.text))
        if not all(0 <= token < self._vocabulary.n_vocab for token in text.text):
            raise UsageError(f"tokens of this model are numbers from 0 to {self._vocabulary.n_vocab - 1}")
        return Prompt(list(text.text))

    def _tail(self, turns: Sequence[Turn], variables: Mapping[str, object] | None) -> str:
        """What the template writes behind the last question, whatever it asks."""
        system = [turn for turn in turns[:1] if turn.role == "system"]
        try:
            return tail_of(self._template.render([*system, _SAMPLE[1]], variables), _SAMPLE[1].content)
        except TrchatError:
            return ""

    def _broken(self, turn: Turn, mark: str) -> Turn:
        reasoning = turn.reasoning and self.plain_text.break_up(turn.reasoning, mark)
        return Turn(turn.role, self.plain_text.break_up(turn.content, mark), reasoning)

    def _tokenize(self, rendered: str) -> list[int]:
        vocabulary = self._vocabulary
        # Templates that spell out BOS must not get a second one.
        adds_bos = vocabulary.adds_bos and not (
            vocabulary.bos_text and rendered.startswith(vocabulary.bos_text)
        )
        return vocabulary.tokenize(rendered, add_special=adds_bos, parse_special=True)

    def _sample(self) -> str:
        """A prompt of harmless turns, to see the template's own words; empty when it refuses them."""
        for turns in (_SAMPLE, _SAMPLE[1:], _SAMPLE[1:2]):
            try:
                return self._template.render(turns)
            except TrchatError:
                continue
        return ""
