"""Calls whose arguments stand between tags, one by one, as XML has it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trchat.chat.tools.calls import ToolCall, Tools
from trchat.chat.tools.json_calls import JsonCalls
from trchat.chat.tools.syntax import Part, Read, new_call
from trchat.chat.tools.values import read_json, typed, written

_NAME = r"[^\s<>{}\[\]()|\"'=]{1,100}"
_LONGEST_HEAD = 400
_DATA = ("<![CDATA[", "]]>")
"""XML's way to have marks in a text."""
ANYTHING = "\x00"
"""In a layout: whatever a template writes there."""
KEY = "\x01"
"""And the argument's key."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What stands where; blanks between the marks do not count when calls are read.

    Attributes:
        behind_name: between the name and the first argument.
        before_key, before_value, behind_value: around an argument's parts. Where ``before_value`` tells
            strings from other values it is all that it can be, the way for strings first.
        ends: what may end a call.
    """

    behind_name: str
    before_key: str
    before_value: tuple[str, ...]
    behind_value: str
    ends: tuple[str, ...]


class TaggedCalls:
    """``look<arg_key>at</arg_key><arg_value>it</arg_value></call>``, and the like."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._ends = layout.ends
        key = layout.before_key.strip()
        self._name = re.compile(rf"\s*(?P<name>{_NAME})\s*{_loose(layout.behind_name)}\s*")
        ways = "|".join(f"(?P<way{n}>{_loose(each)})" for n, each in enumerate(layout.before_value))
        self._argument = re.compile(rf"\s*{re.escape(key)}\s*(?P<key>[^<>\"/][^<>\"]{{0,200}}?)\s*(?:{ways})")
        self._following = "|".join(map(re.escape, dict.fromkeys([key, *self._ends])))
        self._strips = layout.before_value[0].endswith("\n"), layout.behind_value.startswith("\n")

    def read(self, text: str, start: int, tools: Tools, final: bool) -> Read | None:
        """See ``CallReader``."""
        if text[start:].lstrip()[:1] in ("{", "["):  # the other way to write it
            return JsonCalls().read(text, start, tools, final)
        head = self._head(text, start)
        if head is None:
            body = text[start:].lstrip()
            waits = not final and re.fullmatch(rf"(?:{_NAME})?\s*", body) and len(body) < _LONGEST_HEAD
            waits = waits or (not final and self._is_begun(body))
            return None if waits else Read(start)
        layout = self._layout
        name, place = head
        root = tools.parameters(name)
        schemas = root.get("properties")
        values: dict[str, Any] = {}
        while True:
            argument = self._argument.match(text, place)
            if argument is None:
                break
            mark = re.escape(layout.behind_value.strip().replace(KEY, argument["key"]))
            ended = re.compile(rf"{mark}\s*(?={self._following})").search(text, argument.end())
            if ended is None and final:
                ended = next(reversed([*re.compile(rf"{mark}\s*").finditer(text, argument.end())]), None)
            if ended is None:
                return Read(len(text), like_one=True) if final else None
            raw = self._stripped(text[argument.end() : ended.start()])
            schema = schemas.get(argument["key"], {}) if isinstance(schemas, dict) else {}
            values[argument["key"]] = self._value(raw, schema, root, argument)
            place = ended.end()
        rest = text[place:].lstrip()
        end = next((each for each in self._ends if rest.startswith(each)), None)
        if end is None and not final:
            marks = [layout.before_key.strip(), *self._ends]
            if any(each.startswith(rest) or rest.startswith(each) for each in marks):
                return None
        if end is None and (rest or not (values or name in tools.names)):
            return Read(len(text) if final else place, like_one=True)
        stop = len(text) - len(rest) + len(end or "")
        return Read(stop, new_call(name, values, None, tools), like_one=True)

    def begins(self, text: str) -> bool:
        """See ``CallReader``."""
        return False

    def write(self, call: ToolCall) -> str:
        """See ``CallReader``."""
        layout = self._layout
        parts = [call.name, layout.behind_name]
        for key, value in read_json(call.arguments).items():
            is_text = isinstance(value, str)
            way = layout.before_value[0 if is_text else -1]
            parts += [layout.before_key, key, way, value if is_text else written(value)]
            parts.append(layout.behind_value.replace(KEY, key))
        return "".join(parts)

    def ruled(self) -> Sequence[Part] | None:
        """See ``CallReader``."""
        return None

    def _head(self, text: str, start: int) -> tuple[str, int] | None:
        """The name, and where the first argument or the end begins."""
        head = self._name.match(text, start)
        if head is None:
            return None
        rest = text[head.end() :]
        known = [self._layout.before_key.strip(), *self._ends]
        if any(rest.startswith(each) or each.startswith(rest) for each in known):
            return head["name"], head.end()
        return None

    def _is_begun(self, body: str) -> bool:
        """Whether ``body`` is a name and the beginning of what stands behind one."""
        name = re.match(_NAME, body)
        if name is None or len(body) > _LONGEST_HEAD:
            return False
        rest = "".join(body[name.end() :].split())
        layout = self._layout
        behind = "".join(layout.behind_name.split())
        behind, varies, _ = behind.partition(ANYTHING)
        if varies and rest.startswith(behind):
            return True
        known = [layout.before_key.strip(), *self._ends]
        return any((behind + each).startswith(rest) for each in known)

    def _value(self, raw: str, schema: Any, root: Any, argument: "re.Match[str]") -> Any:
        if len(self._layout.before_value) == 1:
            return typed(raw, schema, root)
        if argument["way0"] is not None:
            return raw
        try:
            return read_json(raw)
        except ValueError:
            return typed(raw, schema, root)

    def _stripped(self, raw: str) -> str:
        """Without the line breaks that the template puts around a value."""
        before, behind = self._strips
        raw = raw.removeprefix("\n") if before else raw
        raw = raw.removesuffix("\n") if behind else raw
        word = raw.strip()
        is_data = word.startswith(_DATA[0]) and word.endswith(_DATA[1])
        return word[len(_DATA[0]) : -len(_DATA[1])] if is_data else raw


def _loose(literal: str) -> str:
    """A pattern for ``literal`` with any blanks in it, but none behind it."""
    core = r"\s*".join(re.escape(each) for each in literal.split())
    return core.replace(re.escape(ANYTHING), r"[^<>\"]*")
