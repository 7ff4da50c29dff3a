"""Calls with a notation of their own: Python's (LFM, Llama 4), and that of Gemma 4."""

import ast
import re
from collections.abc import Sequence
from typing import Any

from trchat.chat.tools.calls import ToolCall, Tools
from trchat.chat.tools.json_calls import JsonCalls
from trchat.chat.tools.syntax import Part, Read, new_call
from trchat.chat.tools.values import bracket_end, read_json, written

_CALLED = re.compile(r"\s*(?P<name>[A-Za-z_][\w.-]{0,100})\s*\(")
_CALLED_BEGUN = re.compile(r"\s*(?:[A-Za-z_][\w.-]{0,100}\s*)?")
_WORDS = {"true": True, "false": False, "null": None}
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_GEMMA = re.compile(r"\s*(?:call:)?\s*(?P<name>[\w.-]{1,100})\s*(?=\{)")
_GEMMA_BEGUN = re.compile(r"\s*(?:c(?:a(?:l(?:l(?::\s*[\w.-]{0,100}\s*)?)?)?)?)?")


class PythonCalls:
    """``look(at="it", times=2)``; several of them may be a list."""

    def read(self, text: str, start: int, tools: Tools, final: bool) -> Read | None:
        """See ``CallReader``."""
        while start < len(text) and (text[start].isspace() or text[start] == "["):
            start += 1
        if text[start : start + 1] == "{":
            return JsonCalls().read(text, start, tools, final)
        head = _CALLED.match(text, start)
        if head is None:
            waits = not final and _CALLED_BEGUN.fullmatch(text, start)
            return None if waits else Read(start)
        end = bracket_end(text, head.end() - 1, "\"'")
        if end is None:
            return Read(len(text), like_one=True) if final else None
        try:
            values = _arguments(f"f({text[head.end() : end]}")
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return Read(end, like_one=True)
        return Read(end, new_call(head["name"], values, None, tools), like_one=True)

    def begins(self, text: str) -> bool:
        """See ``CallReader``."""
        return _CALLED.match(text) is not None or _CALLED_BEGUN.fullmatch(text) is not None

    def write(self, call: ToolCall) -> str:
        """See ``CallReader``."""
        values = ", ".join(f"{key}={value!r}" for key, value in read_json(call.arguments).items())
        return f"[{call.name}({values})]"

    def ruled(self) -> Sequence[Part] | None:
        """See ``CallReader``."""
        return None


def _arguments(call: str) -> dict[str, Any]:
    """Of a call in Python, by name. Raises ValueError or SyntaxError."""
    expression = ast.parse(call.strip(), mode="eval").body
    if not isinstance(expression, ast.Call) or expression.args or any(not k.arg for k in expression.keywords):
        raise ValueError("no call, or one whose arguments have no names")
    return {str(each.arg): _value(each.value) for each in expression.keywords}


def _value(node: ast.expr) -> Any:
    """A literal, in which JSON's words are values too."""
    match node:
        case ast.Name(id=word) if word in _WORDS:
            return _WORDS[word]
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return [_value(each) for each in parts]
        case ast.Dict(keys=keys, values=values):
            return {_key(key): _value(value) for key, value in zip(keys, values, strict=True)}
        case _:
            return ast.literal_eval(node)


def _key(node: ast.expr | None) -> str:
    key = ast.literal_eval(node) if node is not None else None
    if not isinstance(key, str):
        raise ValueError("a name must be a text")
    return key


class GemmaCalls:
    """``call:look{at:<|"|>it<|"|>,times:2}``."""

    quote = '<|"|>'

    def read(self, text: str, start: int, tools: Tools, final: bool) -> Read | None:
        """See ``CallReader``."""
        head = _GEMMA.match(text, start)
        if head is None:
            waits = not final and _GEMMA_BEGUN.fullmatch(text, start)
            return None if waits else Read(start, like_one="call:" in text[start : start + 10])
        end = self._end(text, head.end())
        if end is None:
            return Read(len(text), like_one=True) if final else None
        try:
            values = read_json(self._as_json(text[head.end() : end]))
        except ValueError:
            return Read(end, like_one=True)
        return Read(end, new_call(head["name"], values, None, tools), like_one=True)

    def begins(self, text: str) -> bool:
        """See ``CallReader``."""
        return False

    def write(self, call: ToolCall) -> str:
        """See ``CallReader``."""
        return f"call:{call.name}{self._notation(read_json(call.arguments))}"

    def ruled(self) -> Sequence[Part] | None:
        """See ``CallReader``."""
        return None

    def _end(self, text: str, start: int) -> int | None:
        """Where the bracket at ``start`` is closed; those in texts do not count."""
        depth, place = 0, start
        while place < len(text):
            if text.startswith(self.quote, place):
                closed = text.find(self.quote, place + len(self.quote))
                if closed < 0:
                    return None
                place = closed + len(self.quote)
                continue
            if text[place] == '"':  # a model that falls back to JSON's
                string = _STRING.match(text, place)
                if string is None:
                    return None
                place = string.end()
                continue
            depth += (text[place] in "{[") - (text[place] in "}]")
            place += 1
            if depth == 0:
                return place
        return None

    def _as_json(self, text: str) -> str:
        """The same in JSON: texts between its quotes, and quotes around the keys."""
        parts = text.split(self.quote)
        bare = [re.sub(r'([{,]\s*)([^\s{}\[\]",:][^{}\[\]",:]*?)(\s*:)', r'\1"\2"\3', each) for each in parts]
        return "".join(written(each) if number % 2 else bare[number] for number, each in enumerate(parts))

    def _notation(self, value: Any) -> str:
        if isinstance(value, str):
            return f"{self.quote}{value}{self.quote}"
        if isinstance(value, dict):
            return "{" + ",".join(f"{key}:{self._notation(each)}" for key, each in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ",".join(map(self._notation, value)) + "]"
        return written(value)
