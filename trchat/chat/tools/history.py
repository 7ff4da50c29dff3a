"""How a template takes tools, and the calls and results of a conversation so far."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from trchat.chat.formats.find_format import Message, Render, tail_of
from trchat.chat.tools.calls import ID_LENGTH, ID_LETTERS, ToolCall

QUESTION, ANSWER = "qfirstq", "qanswerq"
USER = {"role": "user", "content": QUESTION}
KEYS = ("qkeyq", "qsizeq")
CALLS = (
    ToolCall("qcallid01", "qlookq", json.dumps({"qkeyq": "qvalueq", "qsizeq": 12345})),
    ToolCall("qcallid02", "qfindq", json.dumps({"qkeyq": "qotherq", "qsizeq": 54321})),
)
_LONG_ID = "call_qcallidq0000000000"
_NAMES = ("tools", "xml_tools", "functions", "custom_tools", "available_tools")
"""Of variables for tools, the commonest first."""


def _sample_tool(name: str) -> dict[str, Any]:
    properties = {
        "qkeyq": {"type": "string", "description": "qtextq"},
        "qsizeq": {"type": "integer", "description": "qtextq"},
    }
    schema = {"type": "object", "properties": properties, "required": list(KEYS)}
    return {"type": "function", "function": {"name": name, "description": "qdescq", "parameters": schema}}


SAMPLE_TOOLS = [_sample_tool(each.name) for each in CALLS]


@dataclass(frozen=True, slots=True)
class Shape:
    """What messages with calls look like, for one template to take them.

    Attributes:
        as_text: the arguments are JSON text, not an object.
        content: of a message that has only calls: empty, None, or left out (``missing``).
        missing: see ``content``.
        short_ids: ids have nine letters and digits.
    """

    as_text: bool = False
    content: str | None = ""
    missing: bool = False
    short_ids: bool = False

    def calling(self, message: Message, calls: Sequence[ToolCall]) -> Message:
        """``message`` with ``calls``."""
        told = dict(message)
        told["tool_calls"] = [self._call(each) for each in calls]
        if not told.get("content"):
            told["content"] = self.content
            if self.missing:
                del told["content"]
        return told

    def result(self, text: str, identity: str, name: str) -> Message:
        """What a tool has answered."""
        return {"role": "tool", "content": text, "tool_call_id": self._id(identity), "name": name}

    def _call(self, call: ToolCall) -> Message:
        arguments: Any = call.arguments
        if not self.as_text:
            arguments = json.loads(call.arguments)
        return {
            "type": "function",
            "id": self._id(call.id),
            "function": {"name": call.name, "arguments": arguments},
        }

    def _id(self, identity: str) -> str:
        if not self.short_ids or (len(identity) == ID_LENGTH and identity.isascii() and identity.isalnum()):
            return identity
        digest = hashlib.sha256(identity.encode("utf-8", "replace")).digest()
        return "".join(ID_LETTERS[byte % len(ID_LETTERS)] for byte in digest[:ID_LENGTH])


def tools_variable(render: Render, reads: frozenset[str]) -> str | None:
    """The variable by which a template that ``reads`` these is told of tools; None where it knows none."""
    for name in _NAMES:
        if name not in reads:
            continue
        rendered = render([USER], {name: SAMPLE_TOOLS})
        if rendered and all(each in rendered for each in (CALLS[0].name, "qdescq", *KEYS)):
            return name
    return None


def find_shape(render: Render, variables: Mapping[str, object]) -> Shape | None:
    """How the template takes calls; None where it leaves them out, or writes them as no model would."""
    for short, as_text, content in product((False, True), (False, True), ("", None, ...)):
        shape = Shape(as_text, None if content is ... else content, content is ..., short)
        identity = CALLS[0].id if short else _LONG_ID
        call = ToolCall(identity, CALLS[0].name, CALLS[0].arguments)
        message = shape.calling({"role": "assistant", "content": ""}, [call])
        rendered = render([USER, message], {**variables, "add_generation_prompt": False})
        tail = tail_of(rendered or "", QUESTION)
        whole = all(each in tail for each in (call.name, *KEYS, "qvalueq", "12345"))
        # Python's own way to print an object, and JSON inside JSON.
        garbled = "'qkeyq':" in tail or '\\"qkeyq' in tail
        if whole and not garbled:
            return shape
    return None
