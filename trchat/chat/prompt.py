"""A conversation to token ids, in which only the template can spell special tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

from trchat.chat.formats.find_format import find_format, tail_of
from trchat.chat.formats.interface import Format
from trchat.chat.plain_text import (
    PLAIN_MARK,
    PlainText,
    free_mark,
    looks_like_a_marker,
    markers_in,
    without_mark,
)
from trchat.chat.template import ChatTemplate, Turn, Verbatim
from trchat.chat.thinking_switch import ThinkingSwitch, find_switch
from trchat.chat.tools.calls import ToolCall, Tools
from trchat.chat.tools.find import ToolUse, find_tool_use
from trchat.chat.tools.ruled import call_grammar
from trchat.chat.tools.values import read_json, written
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
        template: what renders.
        format: how the model writes its answers, as far as template and vocabulary tell.
    """

    def __init__(self, template: ChatTemplate, vocabulary: Vocabulary) -> None:
        self.template = template
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

    @cached_property
    def switch(self) -> ThinkingSwitch:
        """How the template has the model think, or not."""
        return find_switch(self.template, self.format)

    @cached_property
    def tool_use(self) -> ToolUse:
        """How the template takes tools, and the model calls them; looked for when first there are any."""
        template = self.template
        use = find_tool_use(template.source, template.reads, template.sample, self._vocabulary, self.format)
        if use.shape is not None:
            template.shape = use.shape
        elif use.syntax is not None:
            template.write_calls = use.syntax.write
        return use

    def format_with(self, tools: Tools) -> Format:
        """How the model writes answers that may call ``tools``.

        Raises UsageError where the template knows no tools, or it is not known how calls are written.
        """
        use = self.tool_use
        if use.variable is None:
            raise UsageError("the chat template of this model knows no tools; ask without them")
        if use.syntax is None:
            raise UsageError("how this model writes calls of tools is not known; ask without tools")
        return use.format(self.format, tools, self._vocabulary)

    def rules_for(self, tools: Tools) -> str:
        """A grammar (``Sampling.schema``) for answers that must call one of ``tools.must`` (see ``Tools``).

        Raises UsageError where there can be none.
        """
        syntax = self.tool_use.syntax
        grammar = syntax and call_grammar(syntax, tools, self._vocabulary)
        if not grammar:
            why = "this model's way to call tools can be ruled by no grammar"
            if tools.answer:
                raise UsageError(f"{why}: 'tools' and 'response_format' cannot be had together")
            raise UsageError(f"{why}: only 'tool_choice': 'auto' works")
        return grammar

    def build(
        self,
        turns: Sequence[Turn],
        variables: Mapping[str, object] | None = None,
        opening: Turn | None = None,
        tools: Sequence[Mapping[str, Any]] = (),
    ) -> Prompt:
        """The prompt for the next answer, or for one to go on that says ``opening`` already.

        The template is told of ``tools``, as OpenAI's protocol has them. Takes and raises what
        ChatTemplate.render does.
        """
        given = dict(variables or {})
        if tools or any(turn.calls or turn.role == "tool" for turn in turns):
            self._check_calls(turns)

        def told(mark: str) -> dict[str, object]:
            name = self.tool_use.variable if tools else None
            return {**given, name: self._broken_value(list(tools), mark)} if name else given

        tail = self._tail(turns, told(PLAIN_MARK))
        written = [] if opening is None else self.format.resumed(tail, opening.reasoning, opening.content)
        contents = [text for turn in turns for text in _texts_of(turn)]
        contents += _texts_in(list(tools))
        contents += [each.text for each in written if not each.markup]

        def rendered(mark: str) -> str:
            whole = self.template.render([self._broken(turn, mark) for turn in turns], told(mark))
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
            return tail_of(self.template.render([*system, _SAMPLE[1]], variables), _SAMPLE[1].content)
        except TrchatError:
            return ""

    def _broken(self, turn: Turn, mark: str) -> Turn:
        reasoning = turn.reasoning and self.plain_text.break_up(turn.reasoning, mark)
        calls = tuple(
            ToolCall(
                each.id,
                self.plain_text.break_up(each.name, mark),
                written(self._broken_value(read_json(each.arguments), mark)),
            )
            for each in turn.calls
        )
        content = self.plain_text.break_up(turn.content, mark)
        return replace(turn, content=content, reasoning=reasoning, calls=calls)

    def _broken_value(self, value: Any, mark: str) -> Any:
        """A value of JSON with all its texts broken up, names too."""
        if isinstance(value, str):
            return self.plain_text.break_up(value, mark)
        if isinstance(value, list):
            return [self._broken_value(each, mark) for each in value]
        if isinstance(value, dict):
            return {
                self._broken_value(name, mark): self._broken_value(each, mark) for name, each in value.items()
            }
        return value

    def _check_calls(self, turns: Sequence[Turn]) -> None:
        use = self.tool_use
        if use.shape is None and use.syntax is None and any(turn.calls for turn in turns):
            raise UsageError("the chat template of this model takes no calls of tools in a conversation")

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
                return self.template.render(turns)
            except TrchatError:
                continue
        return ""


def _texts_of(turn: Turn) -> list[str]:
    """All that somebody has said in a turn."""
    called = [text for each in turn.calls for text in (each.name, *_texts_in(read_json(each.arguments)))]
    return [turn.content, turn.reasoning or "", *called]


def _texts_in(value: Any) -> list[str]:
    """All texts in a value of JSON, names too."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for each in value for text in _texts_in(each)]
    if isinstance(value, dict):
        return [text for name, each in value.items() for text in (name, *_texts_in(each))]
    return []
