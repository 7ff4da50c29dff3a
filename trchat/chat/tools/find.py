"""Finds out how a model writes calls of tools: from what its template makes of a sample."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from trchat.chat.formats.find_format import Render, Vocabulary, tail_of
from trchat.chat.formats.harmony import Harmony
from trchat.chat.formats.interface import Format, Marks
from trchat.chat.tools.calls import Tools
from trchat.chat.tools.history import (
    ANSWER,
    CALLS,
    KEYS,
    QUESTION,
    SAMPLE_TOOLS,
    USER,
    Shape,
    find_shape,
    tools_variable,
)
from trchat.chat.tools.json_calls import IdThenName, JsonCalls, NameThenJson
from trchat.chat.tools.parser import ToolFormat
from trchat.chat.tools.syntax import Part, Slot, Syntax
from trchat.chat.tools.tagged_calls import ANYTHING, KEY, Layout, TaggedCalls
from trchat.chat.tools.worded_calls import GemmaCalls, PythonCalls
from trchat.decoding.kv_cache import common_length

_MARK_START = re.compile(r"[<\ufde0\ufde1`]|\[(?=[A-Z_]+\])|\](?=[<~])")
_MARK = re.compile(r"\]<\]\w+\[>\[(?:</?\w+>)?|<[^<>\s]*>|\[[A-Z_]+\]")
_LIST = ",[];}"
"""What stands between the objects of a list, and a bracket too many."""


@dataclass(frozen=True, slots=True)
class ToolUse:
    """What is known of one template and its model.

    Attributes:
        variable: the template's, for the tools; None where it knows none.
        shape: how it takes calls; None where it leaves them out.
        syntax: how the model writes them; None where that is not known.
    """

    variable: str | None
    shape: Shape | None
    syntax: Syntax | None

    def format(self, format: Format, tools: Tools, vocabulary: Vocabulary) -> ToolFormat:
        """A format that finds calls in answers besides."""
        assert self.syntax is not None
        # What is a token and has a text is read as that anyway.
        hidden = [each for each in vocabulary.control_texts if each in self.syntax.sample]
        spellings = [*format.marks.spellings, *hidden]
        marks = Marks(spellings, vocabulary.special_ids, vocabulary.control_texts)
        return ToolFormat(format, self.syntax, tools, marks)


def find_tool_use(
    source: str, reads: frozenset[str], render: Render, vocabulary: Vocabulary, format: Format
) -> ToolUse:
    """Look at a template, by its ``source``, its variables and what it renders, and at the vocabulary."""
    variable = tools_variable(render, reads)
    variables = {variable: SAMPLE_TOOLS} if variable else {}
    shape = find_shape(render, variables)
    if isinstance(format, Harmony):
        return ToolUse(variable, shape, _harmony())
    if "<|open|>" in source and "<|sep|>" in source:
        return ToolUse(variable, shape, _kimi_k3())
    syntax = _Sample(render, variables, shape).syntax() if shape is not None else None
    tag = "<|python_tag|>"
    if syntax is not None and not syntax.marks and (tag in source or tag in vocabulary.special_ids):
        syntax = replace(syntax, section=tag)  # Llama 3 may write it, whatever its template does
    if syntax is None and variable is not None:
        syntax = _by_name(source, vocabulary.special_ids)
    return ToolUse(variable, shape, syntax)


def _harmony() -> Syntax:
    """``<|channel|>commentary to=functions.look <|constrain|>json<|message|>{...}<|call|>``, or the like."""
    sample = "<|channel|>commentary <|constrain|>json<|message|>"
    message = Slot("something", r"(?=[\s<])[^{}]{0,200}?<\|message\|>", sample)
    reader = NameThenJson("functions.", [message], ("<|call|>", "<|end|>"))
    return Syntax(reader, opener="to=", header=True)


def _kimi_k3() -> Syntax:
    """``<|open|>tools<|sep|><|open|>call tool="look" index="1"<|sep|>...``, behind the end of the text."""
    closers = ("<|close|>call<|sep|>", "<|close|>tools<|sep|>")
    layout = Layout(
        behind_name=f'" index="{ANYTHING}"<|sep|>',
        before_key='<|open|>argument key="',
        before_value=('" type="string"<|sep|>', f'" type="{ANYTHING}"<|sep|>'),
        behind_value="<|close|>argument<|sep|>",
        ends=closers,
    )
    return Syntax(
        TaggedCalls(layout),
        "<|open|>tools<|sep|>",
        '<|open|>call tool="',
        closers,
        closing="".join(closers),
        behind_end=True,
    )


def _by_name(source: str, special: Collection[str]) -> Syntax | None:
    """For templates that do not write calls themselves: by marks that only one family has."""

    def has(*marks: str) -> bool:
        return all(each in special for each in marks) or all(each in source for each in marks)

    if has("<|tool_call_start|>", "<|tool_call_end|>") or has("<|tool_list_start|>"):  # LFM 2
        return Syntax(
            PythonCalls(),
            section="<|tool_call_start|>",
            closers=("<|tool_call_end|>",),
            closing="<|tool_call_end|>",
            separated=_LIST,
        )
    if has("<|tool_calls_section_begin|>", "<|tool_call_begin|>"):  # Kimi K2
        closers = ("<|tool_call_end|>", "<|tool_calls_section_end|>")
        number = Slot("something", ":[0-9]+", ":0")
        return Syntax(
            NameThenJson("functions.", [number, "<|tool_call_argument_begin|>"], closers),
            "<|tool_calls_section_begin|>",
            "<|tool_call_begin|>",
            closers,
            closing="".join(closers),
        )
    if has("[TOOL_CALLS]"):
        return Syntax(JsonCalls(), section="[TOOL_CALLS]", separated=_LIST, lead="[TOOL_CALLS][", closing="]")
    if has("<tool_call>"):
        return Syntax(
            JsonCalls(),
            opener="<tool_call>\n",
            closers=("</tool_call>",),
            closing="\n</tool_call>",
            bare="start",
            separated="}",
        )
    if has("<|tool_call|>"):  # Granite 3
        return Syntax(
            JsonCalls(), section="<|tool_call|>", separated=_LIST, lead="<|tool_call|>[", closing="]"
        )
    if has("<|python_tag|>"):
        return Syntax(JsonCalls({"name": "name", "parameters": "arguments"}), bare="line", separated=_LIST)
    return None


class _Sample:
    """A turn with calls, as the template writes it."""

    def __init__(self, render: Render, variables: Mapping[str, object], shape: Shape) -> None:
        self._render = render
        self._variables = {**variables, "add_generation_prompt": False}
        self._shape = shape
        self._one = self._rendered(1)
        self._two = self._rendered(2)
        plain = render([USER, {"role": "assistant", "content": ANSWER}], self._variables) or ""
        before, _, self._behind = tail_of(plain, QUESTION).partition(ANSWER)
        begun = tail_of(render([USER], {**variables, "add_generation_prompt": True}) or "", QUESTION)
        self._before = (before, begun)

    def syntax(self) -> Syntax | None:
        """How the model writes calls, if this shows it."""
        value = self._one.find("qvalueq")
        for start in (match.start() for match in re.finditer(r"\{", self._one[:value])):
            found = _object_at(self._one, start)
            if found is None or "qvalueq" not in (told := json.dumps(found[0])):
                continue
            return (
                self._of_json(start, *found)
                if CALLS[0].name in told
                else self._of_name_and_json(start, found[1])
            )
        return self._of_words(value)

    def _rendered(self, count: int) -> str:
        message = self._shape.calling({"role": "assistant", "content": ""}, CALLS[:count])
        rendered = tail_of(self._render([USER, message], self._variables) or "", QUESTION)
        return rendered.replace(CALLS[1].id, CALLS[0].id)

    def _opener(self, start: int, two: str) -> tuple[str, str]:
        """What opens the section and each call, where the first call begins at ``start``.

        ``two`` is what stands between two calls; empty where there can be only one.
        """
        head = self._one[:start]
        whole = head[max(_shared(each, head) for each in self._before) :].lstrip()
        if CALLS[0].name in whole:  # in a header before it
            whole = whole.rpartition(CALLS[0].name)[2]
            mark = _MARK_START.search(whole)
            whole = whole[mark.start() :] if mark else ""
        if not two:
            return "", whole
        length = common_length(whole[::-1], two[::-1])
        common = whole[len(whole) - length :]
        if common != whole:
            mark = _MARK_START.search(common)
            common = common[mark.start() :] if mark else ""
        return whole[: len(whole) - len(common)], common

    def _closing(self, end: int) -> str:
        """What the template writes behind a call that ends at ``end``, up to the end of the turn."""
        rest = self._one[end:]
        return rest[: len(rest) - _shared(self._behind[::-1], rest[::-1], backwards=True)]

    def _of_json(self, start: int, found: Any, end: int) -> Syntax | None:
        between = ""
        if self._two[:end] == self._one[:end] and (at := self._two.find("{", end)) >= 0:
            between = self._two[end:at]
        section, opener = self._opener(start, between)
        lead = section + opener
        listed = "," in between or section.rstrip().endswith("[") or opener.rstrip().endswith("[")
        if listed:
            section, opener = (_without_bracket(each) for each in (section, opener))
        if not section and (listed or not between):
            section, opener = opener, ""
        closing = self._closing(end)
        closers = _marks_in(closing)
        example = _example(found)
        bare = "start" if opener else "" if section else "line"
        listed = listed or not between
        return Syntax(
            JsonCalls(example, name_is_key=example is None),
            section,
            opener,
            closers,
            bare=bare,
            lead=lead,
            separated=_LIST if listed else "}",
            closing=closing,
        )

    def _of_name_and_json(self, start: int, end: int) -> Syntax | None:
        """A name, and an object of arguments from ``start`` to ``end``."""
        name = self._one.rfind(CALLS[0].name, 0, start)
        if name < 0:
            return None
        second = self._two.find(CALLS[1].name, end)
        between = self._two[end:second] if second >= 0 and self._two[:end] == self._one[:end] else ""
        section, opener = self._opener(name, between)
        words = self._one[name + len(CALLS[0].name) : start]
        prefix = re.search(r"[A-Za-z_.]*$", opener)
        prefix_text = prefix[0] if prefix and not opener.strip().isalpha() else ""
        opener = opener[: len(opener) - len(prefix_text)] if prefix_text else opener
        closing = self._closing(end)
        closers = _marks_in(closing)
        reader = NameThenJson(prefix_text, _parts(words), closers)
        if CALLS[0].id in opener:
            opener, _, mark = opener.partition(CALLS[0].id)
            reader = IdThenName(mark, reader)
        if not (section + opener).strip():
            return None
        return Syntax(reader, section, opener, closers, closing=closing)

    def _of_words(self, value: int) -> Syntax | None:
        """A notation of its own, or arguments between tags."""
        key = self._one.rfind(KEYS[0], 0, value)
        name = self._one.rfind(CALLS[0].name, 0, key)
        if min(value, key, name) < 0:
            return None
        second = self._two.rfind(CALLS[1].name, 0, self._two.find("qotherq"))
        head = self._one[name + len(CALLS[0].name) : key]
        if head == "(":
            section, opener = self._opener(name, "")
            return Syntax(
                PythonCalls(),
                section=_without_bracket(section + opener),
                closers=_marks_in(closing := self._closing(self._one.find(")", value) + 1)),
                closing=closing,
                separated=_LIST,
            )
        if head == "{" and GemmaCalls.quote in self._one:
            closing = self._closing(self._one.find("}", value) + 1)
            opener = self._opener(name, "")[1].removesuffix("call:")
            return Syntax(GemmaCalls(), opener=opener, closers=_marks_in(closing), closing=closing)
        return self._tagged(name, head, key, value, second)

    def _tagged(self, name: int, head: str, key: int, value: int, second: int) -> Syntax | None:
        one, other_key = self._one, self._one.find(KEYS[1], value)
        other = one.find("12345", other_key)
        if min(other_key, other) < 0:
            return None
        ways = one[key + len(KEYS[0]) : value], one[other_key + len(KEYS[1]) : other]
        behind_first = one[value + len("qvalueq") : other_key]
        length = common_length(head[::-1], behind_first[::-1])
        mark = _MARK_START.search(head[len(head) - length :])
        if mark is None:
            return None
        before_key = head[len(head) - length + mark.start() :]
        behind_value = behind_first[: len(behind_first) - len(before_key)]
        end = other + len("12345")
        between = self._two[end:second] if second > end and self._two[:end] == one[:end] else ""
        section, opener = self._opener(name, between)
        same_key = behind_value.replace(KEYS[0], KEY)
        closing = self._closing(end).removeprefix(same_key.replace(KEY, KEYS[1]).rstrip()).lstrip(" ")
        marks = closing.split()
        if not marks or not behind_value.strip():
            return None
        layout = Layout(
            behind_name=head[: len(head) - len(before_key)],
            before_key=before_key,
            before_value=ways[:1] if ways[0] == ways[1] else (ways[0], _with_anything(*ways)),
            behind_value=same_key,
            ends=tuple(dict.fromkeys([marks[0], *_marks_in(closing)[:2]])),
        )
        return Syntax(TaggedCalls(layout), section, opener, _marks_in(closing), closing=closing)


def _parts(words: str) -> list[Part]:
    """What stands between a name and its arguments: an id, a running number, words."""
    head, found, tail = words.partition(CALLS[0].id)
    parts: list[Part] = []
    number = re.match(r":\d+(?=\W|$)", head)
    if number:
        parts.append(Slot("something", ":[0-9]+", number[0]))
        head = head[number.end() :]
    parts.append(head)
    if found:
        parts += [Slot("id", r"[\w-]{1,64}"), tail]
    return [each for each in parts if each]


def _object_at(text: str, start: int) -> tuple[Any, int] | None:
    """The JSON object at ``start``, and where it ends."""
    if start < 0:
        return None
    try:
        value, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return (value, end) if isinstance(value, dict) else None


def _example(found: Mapping[str, Any]) -> dict[str, str] | None:
    """What stands under which key of a call; None where the name itself is the key."""
    if CALLS[0].name in found:
        return None
    kinds = {CALLS[0].name: "name", CALLS[0].id: "id"}
    example: dict[str, str] = {}
    for key, value in found.items():
        if isinstance(value, str) and value in kinds:
            example[key] = kinds[value]
        elif isinstance(value, dict) and "qkeyq" in value:
            example[key] = "arguments"
        else:
            example[key] = json.dumps(value)
    return example


def _shared(plain: str, called: str, *, backwards: bool = False) -> int:
    """How much of the beginning of ``called`` is that of ``plain``, which no mark is cut by.

    ``backwards``: both are read from their ends.
    """
    length = common_length(plain, called)
    text = called[::-1] if backwards else called
    at = len(text) - length if backwards else length
    for match in _MARK.finditer(text):
        if match.start() < at < match.end():
            return len(text) - match.end() if backwards else match.start()
    return length


def _marks_in(text: str) -> tuple[str, ...]:
    """The marks in ``text``, and what else stands there between blanks, but for closing brackets of lists."""
    pieces = (each for piece in text.split() for each in re.split(rf"({_MARK.pattern})", piece))
    return tuple(dict.fromkeys(each for each in pieces if each.strip("]}, ")))


def _without_bracket(text: str) -> str:
    return text.rstrip().removesuffix("[")


def _with_anything(one: str, other: str) -> str:
    """A pattern for both: what they have in common around anything."""
    start = common_length(one, other)
    end = common_length(one[start:][::-1], other[start:][::-1])
    return one[:start] + ANYTHING + one[len(one) - end :]
