"""Calls that are JSON: an object with name and arguments, or a name and an object behind it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from trchat.chat.tools.calls import ToolCall, Tools
from trchat.chat.tools.syntax import Part, Read, Slot, new_call
from trchat.chat.tools.values import bracket_end, read_json, written

_NAMES = ("name", "tool_name", "function_name", "tool", "function")
_ARGUMENTS = ("arguments", "parameters", "args", "input", "function_arguments")
_IDS = ("id", "tool_call_id", "call_id")
_KEYS = {*_NAMES, *_ARGUMENTS, *_IDS, "type", "index"}
_BARE = re.compile(r'\{\s*"(?:type|name|tool_name|function|parameters|arguments|id)"\s*:')
_BARE_BEGUN = re.compile(r'\{\s*("(\w{0,9}("\s*)?)?)?')
_LONGEST_HEAD = 400
"""Letters before the object; a name has a hundred at most."""
_NAME = re.compile(r"[^\s<>{}\[\]()|\"']{1,100}")


class JsonCalls:
    """``{"name": "look", "arguments": {"at": "it"}}``, by whatever keys; several of them may be a list."""

    def __init__(self, example: Mapping[str, str] | None = None, *, name_is_key: bool = False) -> None:
        """``example`` maps the keys of the template's own sample, in order, to what stands there: ``name``,
        ``arguments``, ``id``, or the JSON that it is. ``name_is_key``: ``{"look": {"at": "it"}}``."""
        self._example = example or {"name": "name", "arguments": "arguments"}
        self._name_is_key = name_is_key

    def read(self, text: str, start: int, tools: Tools, final: bool) -> Read | None:
        """See ``CallReader``."""
        listed = False
        while start < len(text) and (text[start].isspace() or text[start] == "["):
            listed = listed or text[start] == "["
            start += 1
        if start == len(text):
            return Read(start) if final else None
        if text[start] != "{":
            return Read(start)
        end = bracket_end(text, start)
        if end is None:
            return Read(len(text), like_one=True) if final else None
        try:
            value = read_json(text[start:end])
        except ValueError:
            return Read(end, like_one=True)
        return Read(end, self._call(value, tools), like_one=True, listed=listed)

    def begins(self, text: str) -> bool:
        """See ``CallReader``."""
        return text.startswith("{")

    def write(self, call: ToolCall) -> str:
        """See ``CallReader``."""
        arguments = read_json(call.arguments)
        if self._name_is_key:
            return written({call.name: arguments})
        values = {"name": call.name, "arguments": arguments, "id": call.id}
        return written({key: values.get(kind, kind) for key, kind in self._example.items()})

    def ruled(self) -> Sequence[Part] | None:
        """See ``CallReader``."""
        if self._name_is_key:
            return ['{"', Slot("name"), '": ', Slot("arguments"), "}"]
        parts: list[Part] = ["{"]
        for number, (key, kind) in enumerate(self._example.items()):
            parts.append(f'{", " if number else ""}"{key}": ')
            match kind:
                case "name":
                    parts += ['"', Slot("name"), '"']
                case "arguments":
                    parts.append(Slot("arguments"))
                case "id":
                    parts += ['"', Slot("id", "[a-zA-Z0-9]{9}"), '"']
                case _:
                    parts.append(kind)
        return [*parts, "}"]

    def _call(self, value: Any, tools: Tools) -> ToolCall | None:
        if not isinstance(value, dict):
            return None
        if len(value) == 1:
            ((name, arguments),) = value.items()
            if (self._name_is_key or name in tools.names) and isinstance(arguments, dict):
                return new_call(name, arguments, None, tools)
        if isinstance(value.get("function"), dict):  # as OpenAI's protocol has it
            value = {**value, **value["function"], "function": None}
        name = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), None)
        arguments = next((value[key] for key in _ARGUMENTS if key in value), None)
        identity = next((value[key] for key in _IDS if isinstance(value.get(key), str)), None)
        return new_call(name, arguments, identity, tools)


def bare_call(text: str, tools: Tools, final: bool) -> Read | None:
    """A JSON object at the beginning of ``text`` that calls a tool which there is, without any mark.

    What is not one is found as early as can be.
    """
    if not _BARE.match(text):
        begun = _BARE_BEGUN.fullmatch(text)
        return None if begun and not final else Read(1)
    end = bracket_end(text, 0)
    if end is None:
        return Read(1) if final else None
    try:
        value = read_json(text[:end])
    except ValueError:
        return Read(1)
    if not isinstance(value, dict) or not set(value) <= _KEYS:
        return Read(1)
    if not set(value) & set(_ARGUMENTS) and not isinstance(value.get("function"), dict):
        return Read(1)
    call = JsonCalls()._call(value, tools)
    return Read(end, call) if call is not None and call.name in tools.names else Read(1)


class NameThenJson:
    """A name, some mark, and an object: ``look[ARGS]{"at": "it"}``."""

    def __init__(self, prefix: str, between: Sequence[Part], closers: Sequence[str] = ()) -> None:
        """``prefix`` stands before the name, ``between`` between name and object.

        Where one of ``closers`` comes instead of an object there are no arguments.
        """
        self._prefix = prefix
        self._between = between
        words = "".join(each for each in between if isinstance(each, str))
        self._closers = tuple(each for each in closers if each not in words)
        # What a model leaves out of all that is no matter, as long as a name and an object are there.
        self._head = re.compile(
            rf"\s*(?:{_words(prefix)})?(?P<name>{_NAME.pattern}?)"
            + "".join(f"(?:{_pattern(each)})?" for each in between)
            + r"\s*"
        )

    def read(self, text: str, start: int, tools: Tools, final: bool) -> Read | None:
        """See ``CallReader``."""
        body = text[start:].lstrip()
        if body[:1] in ("{", "["):  # the other way to write it
            return JsonCalls().read(text, start, tools, final)
        brace = text.find("{", start)
        stops = [at for each in self._closers if (at := text.find(each, start)) >= 0]
        at = min([*stops, brace if brace >= 0 else len(text)])
        if at == len(text) and not final:
            return None if self._may_become(body) else Read(start)
        head = self._head.fullmatch(text, start, at)
        if head is None:
            return Read(start if brace != at else at, like_one=brace == at and bool(stops))
        name = head["name"]
        if brace != at:
            ended = bool(stops) or final
            is_one = ended and (bool(stops) or name in tools.names)
            return Read(at, new_call(name, {}, None, tools) if is_one else None)
        end = bracket_end(text, brace)
        if end is None:
            return Read(len(text), like_one=True) if final else None
        return Read(end, new_call(name, text[brace:end], _group(head, "id"), tools), like_one=True)

    def begins(self, text: str) -> bool:
        """See ``CallReader``."""
        return False

    def _may_become(self, body: str) -> bool:
        """Whether ``body``, which has no object yet, may be the beginning of a call."""
        if self._prefix.startswith(body):
            return True
        name = _NAME.match(body)
        rest = body[name.end() :].lstrip() if name else body
        first = next(iter(self._between), "")
        if not isinstance(first, str):
            return bool(name) and len(body) < _LONGEST_HEAD
        words = "".join(first.split())
        rest = "".join(rest.split())[: len(words)]
        return not body or (bool(name) and len(body) < _LONGEST_HEAD and words.startswith(rest))

    def write(self, call: ToolCall) -> str:
        """See ``CallReader``."""
        words = [
            each if isinstance(each, str) else call.id if each.kind == "id" else each.sample
            for each in self._between
        ]
        return "".join([self._prefix, call.name, *words, call.arguments])

    def ruled(self) -> Sequence[Part] | None:
        """See ``CallReader``."""
        return [self._prefix, Slot("name"), *self._between, Slot("arguments")]


class IdThenName(NameThenJson):
    """An id, some mark, and then a name with an object (Solar)."""

    def __init__(self, mark: str, inner: NameThenJson) -> None:
        self._mark = mark
        self._inner = inner
        self._behind_id = re.compile(rf"\s*(?P<id>[\w-]{{1,64}}?)\s*{_words(mark)}")

    def read(self, text: str, start: int, tools: Tools, final: bool) -> Read | None:
        """See ``CallReader``."""
        head = self._behind_id.match(text, start)
        if head is None:
            waits = not final and len(text) - start < _LONGEST_HEAD
            return None if waits else Read(start)
        read = self._inner.read(text, head.end(), tools, final)
        if read is None or read.call is None:
            return read
        return replace(read, call=replace(read.call, id=head["id"]))

    def write(self, call: ToolCall) -> str:
        """See ``CallReader``."""
        return call.id + self._mark + self._inner.write(call)

    def ruled(self) -> Sequence[Part] | None:
        """See ``CallReader``."""
        return [Slot("id", "[a-zA-Z0-9]{9}"), self._mark, *(self._inner.ruled() or ())]


def _pattern(part: Part) -> str:
    if isinstance(part, str):
        return r"\s*" + _words(part) + r"\s*"
    return f"(?P<id>{part.pattern})" if part.kind == "id" else part.pattern


def _words(text: str) -> str:
    return r"\s*".join(map(re.escape, text.split()))


def _group(match: "re.Match[str]", name: str) -> str | None:
    return match[name] if name in match.re.groupindex else None
