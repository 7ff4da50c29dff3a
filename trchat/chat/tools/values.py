"""Values as models write them: JSON, or words between tags whose type only the tool's schema tells."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

_CLOSING = {"{": "}", "[": "]", "(": ")"}


def bracket_end(text: str, start: int, quotes: str = '"') -> int | None:
    """Where the bracket that ``text`` has at ``start`` is closed (behind it); None where it is not yet.

    Brackets inside ``quotes`` do not count; one that does not fit ends it, as what is no use to read on.
    """
    open_brackets: list[str] = []
    quote = ""
    place = start
    while place < len(text):
        letter = text[place]
        if quote:
            if letter == "\\":
                place += 1
            elif letter == quote:
                quote = ""
        elif letter in quotes:
            quote = letter
        elif letter in _CLOSING:
            open_brackets.append(_CLOSING[letter])
        elif letter in ")]}" and (not open_brackets or open_brackets.pop() != letter or not open_brackets):
            return place + 1
        place += 1
    return None


def read_json(text: str) -> Any:
    """The value that ``text`` is. Line breaks may stand in strings as they are. Raises ValueError."""
    try:
        return json.loads(text, strict=False, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def written(value: Any) -> str:
    """``value`` as JSON. Raises ValueError for numbers that JSON has not."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def typed(text: str, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """What ``text``, written without quotes, means as a value that fits ``schema`` (a part of ``root``).

    It is a string where the schema says so or nothing else fits; else what it is as JSON.
    """
    kinds = _types(schema, root)
    if kinds == {"string"}:
        return text
    word = text.strip()
    for value in _readings(word, kinds):
        if not kinds or _kind(value) in kinds or (type(value) is int and "number" in kinds):
            return value
    return text if not kinds or "string" in kinds else word


def _readings(word: str, kinds: set[str]) -> Sequence[Any]:
    spelled = {"true": True, "false": False, "null": None, "none": None}
    if word.lower() in spelled and (kinds or word in spelled):  # Python's way, which some models have
        return [spelled[word.lower()]]
    try:
        value = read_json(word)
    except ValueError:
        return []
    whole = isinstance(value, float) and value.is_integer() and "integer" in kinds
    return [int(value)] if whole else [value]


def _kind(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def _types(schema: Any, root: Mapping[str, Any], depth: int = 0) -> set[str]:
    """The types that a value may have; empty where the schema does not tell."""
    if not isinstance(schema, dict) or depth > 8:
        return set()
    if isinstance(schema.get("$ref"), str):
        return _types(_referred(schema["$ref"], root), root, depth + 1)
    told = schema.get("type")
    if isinstance(told, str):
        return {told}
    if isinstance(told, list):
        return {each for each in told if isinstance(each, str)}
    if isinstance(schema.get("enum"), list):
        return {_kind(each) for each in schema["enum"]}
    if "const" in schema:
        return {_kind(schema["const"])}
    for name in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(name), list):
            found = [_types(each, root, depth + 1) for each in schema[name]]
            return set().union(*found) if all(found) or name == "allOf" else set()
    return set()


def _referred(reference: str, root: Mapping[str, Any]) -> Any:
    target: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        target = target.get(name) if isinstance(target, dict) else None
    return target


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number that JSON has")
