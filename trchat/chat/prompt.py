"""A conversation to token ids, in which only the template can spell special tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from trchat.chat.plain_text import (
    PLAIN_MARK,
    PlainText,
    free_mark,
    looks_like_a_marker,
    markers_in,
    without_mark,
)
from trchat.chat.reasoning import opened_by
from trchat.chat.template import ChatTemplate, Turn
from trchat.errors import TrchatError

_SAMPLE = (
    Turn("system", "qsystemq"),
    Turn("user", "qfirstq"),
    Turn("assistant", "qanswerq"),
    Turn("user", "qsecondq"),
)


class Vocabulary(Protocol):
    """What is needed of a model (see trchat.llama.model)."""

    adds_bos: bool
    bos_text: str
    control_texts: frozenset[str]
    user_defined_texts: frozenset[str]

    def tokenize(  # noqa: D102
        self, text: str, *, add_special: bool = False, parse_special: bool = False
    ) -> list[int]: ...


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is given: token ids, and the tag by which the template opens reasoning, if it does."""

    ids: list[int]
    reasoning_opener: str | None


class PromptBuilder:
    """Renders by ``template`` and tokenises with ``vocabulary``; what the turns contain stays plain text."""

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

    def build(self, turns: Sequence[Turn], variables: Mapping[str, object] | None = None) -> Prompt:
        """The prompt for the next answer. Takes and raises what ChatTemplate.render does."""
        if all(self.plain_text.is_clean(turn.content) for turn in turns):
            rendered = self._template.render(turns, variables)
            return Prompt(self._tokenize(rendered), opened_by(rendered))
        mark = free_mark([turn.content for turn in turns])
        if mark is not None:
            rendered = self._render_broken(turns, mark, variables)
            ids = without_mark(
                self._tokenize(rendered), mark, rendered.count(mark), self._vocabulary.tokenize
            )
            if ids is not None:
                return Prompt(ids, opened_by(rendered))
        rendered = self._render_broken(turns, PLAIN_MARK, variables)
        return Prompt(self._tokenize(rendered), opened_by(rendered))

    def _render_broken(self, turns: Sequence[Turn], mark: str, variables: Mapping[str, object] | None) -> str:
        return self._template.render(
            [Turn(turn.role, self.plain_text.break_up(turn.content, mark)) for turn in turns], variables
        )

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
