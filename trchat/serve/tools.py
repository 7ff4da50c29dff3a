"""Tools in requests: those that may be called, whether one must be, and the calls so far."""

import json
import re
from collections.abc import Sequence
from typing import Any

from trchat.chat.template import Turn
from trchat.chat.tools.calls import ToolCall, Tools, new_id
from trchat.serve import fields
from trchat.serve.fields import Json
from trchat.serve.problems import bad_request, unsupported

MOST = 512
"""Tools of one request; a prompt that describes more fits no context."""
_NAME = re.compile(r"[\w.:/-]{1,128}")


def read_tools(body: Json) -> Tools | None:
    """What the answer may call; None where it may call nothing. Raises ApiError."""
    definitions = [_definition(each, f"tools[{n}]") for n, each in enumerate(fields.a_list(body, "tools"))]
    if len(definitions) > MOST:
        raise bad_request(f"'tools' must be {MOST} tools at most", "tools")
    names = [each["function"]["name"] for each in definitions]
    if len(set(names)) < len(names):
        raise bad_request("two of 'tools' have the same name", "tools")
    parallel = body.get("parallel_tool_calls") is None or fields.flag(body, "parallel_tool_calls")
    choice = body.get("tool_choice")
    if choice is not None and not definitions and choice not in ("none", "auto"):
        raise bad_request("'tool_choice' needs 'tools'", "tool_choice")
    must = _callable(choice, names)
    if not definitions or choice == "none":
        return None
    return Tools(tuple(definitions), must, parallel=parallel)


def _callable(choice: Any, names: Sequence[str]) -> tuple[str, ...]:
    """The tools of which one must be called; empty where none must be."""
    if choice in (None, "auto", "none"):
        return ()
    if choice == "required":
        return tuple(names)
    if isinstance(choice, dict):
        allowed = choice.get("allowed_tools")
        if choice.get("type") == "allowed_tools" and isinstance(allowed, dict):
            raise unsupported("tool_choice", "'tool_choice' of type 'allowed_tools' is not understood")
        function = choice.get("function")
        name = function.get("name") if isinstance(function, dict) else choice.get("name")
        if choice.get("type", "function") == "function" and isinstance(name, str):
            if name not in names:
                raise bad_request(
                    f"'tool_choice' names {name!r:.80}, which is none of 'tools'", "tool_choice"
                )
            return (name,)
    raise bad_request(
        "'tool_choice' must be 'none', 'auto', 'required', or name a function of 'tools'", "tool_choice"
    )


def _definition(tool: Any, where: str) -> Json:
    """A tool as templates take it: what OpenAI's protocol says, and nothing else."""
    if not isinstance(tool, dict):
        raise bad_request(f"{where} must be an object", where)
    if tool.get("type", "function") != "function":
        raise unsupported(where, f"{where}: only tools of type 'function' are understood")
    function = tool.get("function")
    if not isinstance(function, dict):
        raise bad_request(f"{where} must have a 'function'", where)
    name, description = function.get("name"), function.get("description")
    parameters = function.get("parameters")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise bad_request(f"the name of {where} must be letters, digits, '_' and '-'", where)
    if description is not None and not isinstance(description, str):
        raise bad_request(f"the description of {where} must be a text", where)
    if parameters is not None and not isinstance(parameters, dict):
        raise bad_request(f"the parameters of {where} must be a JSON Schema", where)
    # Templates look for all of these, and many cannot do without.
    shown = {"type": "object", "properties": {}, **(parameters or {})}
    told = {"name": name, "description": description or "", "parameters": shown}
    return {"type": "function", "function": told}


def read_calls(message: Json, where: str) -> tuple[ToolCall, ...]:
    """The calls of an assistant's message. Raises ApiError."""
    calls = fields.a_list(message, "tool_calls")
    return tuple(_read_call(each, f"{where}.tool_calls[{number}]") for number, each in enumerate(calls))


def _read_call(call: Any, where: str) -> ToolCall:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise bad_request(f"{where} must have a 'function' with a name", where)
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments, strict=False) if arguments.strip() else {}
        except (ValueError, RecursionError):
            raise bad_request(f"the arguments of {where} must be JSON", where) from None
    if arguments is not None and not isinstance(arguments, dict):
        raise bad_request(f"the arguments of {where} must be a JSON object", where)
    identity = call.get("id")
    if identity is not None and not isinstance(identity, str):
        raise bad_request(f"the id of {where} must be a text", where)
    told = json.dumps(arguments or {}, ensure_ascii=False)
    return ToolCall(identity or new_id(), function["name"], told)


def with_names(turns: Sequence[Turn]) -> list[Turn]:
    """``turns`` whose results have the names of the tools that were called, which only the calls tell.

    A result without an id belongs to the first call that has none yet.
    """
    named: list[Turn] = []
    open_calls: list[ToolCall] = []
    for turn in turns:
        if turn.role != "tool":
            open_calls = [*turn.calls] if turn.calls else []
            named.append(turn)
            continue
        call = next((each for each in open_calls if turn.call_id in ("", each.id)), None)
        if call is not None:
            open_calls.remove(call)
            turn = Turn("tool", turn.content, call_id=call.id, name=turn.name or call.name)
        named.append(turn)
    return named
