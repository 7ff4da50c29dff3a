"""What a request asks for: OpenAI's fields to turns, settings and what the answer must look like."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from trchat.chat.template import Turn, Verbatim
from trchat.chat.tools.calls import Tools
from trchat.config_rules import Number, Value, is_variable
from trchat.errors import UsageError
from trchat.grammar.schema import Schema, read_schema
from trchat.llama.grammar import check_schema
from trchat.serve import fields
from trchat.serve.fields import Json
from trchat.serve.problems import ApiError, bad_request, unsupported
from trchat.serve.tools import read_calls, read_tools, with_names

_PENALTY = Number(-2.0, 2.0, "a number from -2 to 2")
_ALTERNATIVES = Number(0, 20, "a whole number from 0 to 20", whole=True)
_ANY_WHOLE = Number(-(2**63), 2**64, "a whole number", whole=True)
_SEEDS = 2**32 - 1

_NOT_HERE = {
    "logit_bias": "tokens cannot be made more or less likely here; leave it out",
    "functions": "OpenAI has replaced it by 'tools'",
    "function_call": "OpenAI has replaced it by 'tool_choice'",
    "web_search_options": "this server searches nothing",
    "audio": "this server writes text only",
    "grammar": "grammars are not taken here; 'response_format' takes a JSON Schema",
    "echo": "the prompt is not repeated; leave it out",
    "suffix": "write the model's own fill-in-the-middle marks into 'prompt' instead",
}
_EFFORTS = {
    "none": "off",
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}
_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """One request.

    Attributes:
        turns: the conversation to answer, or the text to go on with.
        opening: what the answer says already.
        model: which one is to answer; None is the one that is loaded.
        settings: those that the request sets itself, by their field in Settings.
        variables: for the chat template.
        schema: what the answer must fit.
        tools: what it may call.
        stream, include_usage: whether it is sent as it is written, and its size at the end of that.
        alternatives: how many likely tokens to tell for each that is written; None = not even that one.
    """

    turns: Sequence[Turn] | Verbatim
    opening: Turn | None = None
    model: str | None = None
    settings: Mapping[str, Value] = field(default_factory=dict)
    variables: Mapping[str, object] = field(default_factory=dict)
    schema: Schema | None = None
    tools: Tools | None = None
    stream: bool = False
    include_usage: bool = False
    alternatives: int | None = None
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0


def read_chat(body: Json) -> AnswerRequest:
    """What a request to ``/v1/chat/completions`` asks for. Raises ApiError."""
    _refuse_what_is_not_here(body)
    turns = with_names(_read_messages(body))
    opening = turns.pop() if turns[-1].role == "assistant" and not turns[-1].calls else None
    if not turns:
        raise bad_request("'messages' must have a message that can be answered", "messages")
    alternatives = fields.number(body, "top_logprobs", _ALTERNATIVES)
    if alternatives is not None and not fields.flag(body, "logprobs"):
        raise bad_request("'top_logprobs' needs 'logprobs': true", "top_logprobs")
    tools, schema = _ruled(read_tools(body), _read_format(body))
    return AnswerRequest(
        turns=turns,
        opening=opening,
        variables=_read_variables(body),
        schema=schema,
        tools=tools,
        alternatives=int(alternatives or 0) if fields.flag(body, "logprobs") else None,
        **_read_common(body, thinking=True),
    )


def read_completion(body: Json) -> AnswerRequest:
    """What a request to ``/v1/completions`` asks for. Raises ApiError."""
    _refuse_what_is_not_here(body)
    if body.get("best_of") not in (None, 1):
        raise unsupported("best_of", "'best_of' must be 1: this server writes one answer a request")
    alternatives = fields.number(body, "logprobs", _ALTERNATIVES)
    return AnswerRequest(
        turns=Verbatim(_read_prompt(body)),
        schema=_read_format(body),
        alternatives=None if alternatives is None else int(alternatives),
        **_read_common(body, thinking=False),
    )


def _refuse_what_is_not_here(body: Json) -> None:
    if body.get("n") not in (None, 1):
        raise unsupported("n", "'n' must be 1: this server writes one answer a request")
    for name, why in _NOT_HERE.items():
        if body.get(name):
            raise unsupported(name, f"{name!r} is not supported: {why}")
    if any(each != "text" for each in fields.a_list(body, "modalities")):
        raise unsupported("modalities", "this server writes text only")


def _read_common(body: Json, *, thinking: bool) -> dict[str, Any]:
    options = fields.an_object(body, "stream_options") or {}
    return {
        "model": fields.text(body, "model") or None,
        "settings": _read_settings(body, thinking),
        "stream": fields.flag(body, "stream"),
        "include_usage": fields.flag(options, "include_usage"),
        "frequency_penalty": fields.number(body, "frequency_penalty", _PENALTY) or 0.0,
        "presence_penalty": fields.number(body, "presence_penalty", _PENALTY) or 0.0,
    }


def _read_settings(body: Json, thinking: bool) -> dict[str, Value]:
    found: dict[str, Value | None] = {
        "temp": fields.setting(body, "temperature", "temp"),
        "top_p": fields.setting(body, "top_p", "top_p"),
        "min_p": fields.setting(body, "min_p", "min_p"),
        "top_k": fields.setting({**body, "top_k": 0} if body.get("top_k") == -1 else body, "top_k", "top_k"),
        "repeat_penalty": fields.setting(body, "repeat_penalty", "repeat_penalty"),
    }
    seed = fields.number(body, "seed", _ANY_WHOLE)
    if seed is not None and seed != -1:  # which other servers take for a random one
        found["seed"] = int(seed) % _SEEDS
    for name in ("max_completion_tokens", "max_tokens"):
        if body.get(name) not in (None, -1) and found.get("max_tokens") is None:
            found["max_tokens"] = fields.setting(body, name, "max_tokens")
    stops = body.get("stop")
    if stops is not None:
        stops = [stops] if isinstance(stops, str) else stops
        if not isinstance(stops, list) or not all(isinstance(each, str) for each in stops):
            raise bad_request("'stop' must be a text or a list of texts", "stop")
        found["stop"] = json.dumps([each for each in stops if each])
    effort = fields.text(body, "reasoning_effort") if thinking else None
    if effort is not None:
        if effort not in _EFFORTS:
            raise bad_request(f"'reasoning_effort' must be one of {', '.join(_EFFORTS)}", "reasoning_effort")
        found["think"] = _EFFORTS[effort]
    return {name: value for name, value in found.items() if value is not None}


def _read_variables(body: Json) -> Json:
    """Variables of the chat template, as llama.cpp's server and vLLM take them."""
    variables = fields.an_object(body, "chat_template_kwargs") or {}
    if not all(map(is_variable, variables)):
        raise bad_request("'chat_template_kwargs' must name variables of a template", "chat_template_kwargs")
    return variables


def _read_messages(body: Json) -> list[Turn]:
    messages = fields.a_list(body, "messages")
    if not messages:
        raise bad_request("'messages' must be a list of at least one message", "messages")
    return [_read_message(each, f"messages[{number}]") for number, each in enumerate(messages)]


def _read_message(message: Any, where: str) -> Turn:
    if not isinstance(message, dict):
        raise bad_request(f"{where} must be an object", where)
    role = _ROLES.get(str(message.get("role")))
    if role is None:
        raise bad_request(f"the role of {where} must be one of {', '.join(_ROLES)}", where)
    content = _read_content(message.get("content"), f"{where}.content")
    if role == "assistant":
        thought = fields.text(message, "reasoning_content") or fields.text(message, "reasoning")
        return Turn(role, content, thought, read_calls(message, where))
    if role == "tool":
        identity, name = fields.text(message, "tool_call_id"), fields.text(message, "name")
        return Turn(role, content, call_id=identity or "", name=name or "")
    return Turn(role, content)


def _read_content(content: Any, where: str) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise bad_request(f"{where} must be a text or a list of parts", where)
    texts = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in ("text", "refusal") or not isinstance(part.get(kind), str):
            raise unsupported(where, f"{where}: only parts of type 'text' are understood, not {kind!r:.40}")
        texts.append(part[kind])
    return "\n".join(texts)


def _read_prompt(body: Json) -> str | tuple[int, ...]:
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str | list):
        prompt = prompt[0]
    if isinstance(prompt, str) and prompt:
        return prompt
    if isinstance(prompt, list) and prompt and all(type(each) is int for each in prompt):
        return tuple(prompt)
    if isinstance(prompt, list) and len(prompt) > 1:
        raise unsupported("prompt", "'prompt' must be one text: this server writes one answer a request")
    raise bad_request("'prompt' must be a text that is not empty, or a list of tokens", "prompt")


def _read_format(body: Json) -> Schema | None:
    wanted = fields.an_object(body, "response_format") or {"type": "text"}
    match wanted.get("type"):
        case "text":
            return None
        case "json_object":
            return followed(json.dumps(wanted.get("schema") or {"type": "object"}))
        case "json_schema":
            told = wanted.get("json_schema")
            schema = told.get("schema") if isinstance(told, dict) else None
            if not isinstance(schema, dict | bool):
                raise bad_request("'response_format.json_schema.schema' must be a schema", "response_format")
            return followed(json.dumps(schema))
        case other:
            raise unsupported(
                "response_format", f"'response_format' of type {other!r:.40} is not one of those understood"
            )


@lru_cache(16)
def _tried(text: str) -> Schema:
    schema = read_schema(text, "the schema")
    check_schema(schema, "the schema")
    return schema


def _ruled(tools: Tools | None, schema: Schema | None) -> tuple[Tools | None, Schema | None]:
    """``tools`` with the grammars that a call needs, where there must be one, or may instead of ``schema``.

    No schema is left where there must be a call. Raises ApiError.
    """
    if tools is None or (not tools.must and schema is None):
        return tools, schema
    if tools.must:  # a call is all that there will be
        grammars = [followed(json.dumps(tools.parameters(name)), "tools").grammar for name in tools.must]
        return replace(tools, grammars=tuple(grammars)), None
    assert schema is not None
    names = tuple(each["function"]["name"] for each in tools.definitions)
    loose = tuple(_loosely_followed(tools.parameters(name)).grammar for name in names)
    return replace(tools, must=names, grammars=loose, answer=schema.grammar), schema


def _loosely_followed(parameters: Mapping[str, Any]) -> Schema:
    """The schema of a tool's arguments, or any object where it cannot be followed: no call must be right."""
    try:
        return followed(json.dumps(parameters), "tools")
    except ApiError:
        return followed('{"type": "object"}', "tools")


def followed(text: str, param: str = "response_format") -> Schema:
    """The schema in ``text``, tried whether it can be followed; takes half a second where it is a new one.

    Raises ApiError, over ``param``.
    """
    try:
        return _tried(text)
    except UsageError as error:
        raise unsupported(param, str(error)) from None
