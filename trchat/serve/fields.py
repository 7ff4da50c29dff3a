"""Reads the fields of a request's JSON, by what may stand in them."""

import json
from collections.abc import Mapping
from typing import Any

from trchat.config_rules import SETTINGS, Number, Value
from trchat.serve.problems import bad_request
from trchat.storage.records import clean

Json = Mapping[str, Any]


def read_object(body: bytes) -> Json:
    """The JSON object in ``body``. Raises ApiError for anything else."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_no_number)
    except RecursionError:
        raise bad_request("the request is nested too deeply") from None
    except ValueError as error:  # not UTF-8, too
        raise bad_request(f"the request is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise bad_request("the request must be a JSON object")
    # Half a character of UTF-16, which JSON can escape, is no text.
    return cleaned(value) if b"\\ud" in body or b"\\uD" in body else value


def cleaned(value: Any) -> Any:
    """``value`` with all its texts fit to be written as UTF-8."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [cleaned(each) for each in value]
    if isinstance(value, dict):
        return {cleaned(name): cleaned(each) for name, each in value.items()}
    return value


def text(body: Json, name: str) -> str | None:
    """A text; None where there is none, as for all of these. Raises ApiError."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise bad_request(f"{name!r} must be a text", name)
    return value


def flag(body: Json, name: str) -> bool:
    """True or false; false where there is none. Raises ApiError."""
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise bad_request(f"{name!r} must be true or false", name)
    return bool(value)


def an_object(body: Json, name: str) -> Json | None:
    """A JSON object. Raises ApiError."""
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        raise bad_request(f"{name!r} must be an object", name)
    return value


def a_list(body: Json, name: str) -> list[Any]:
    """A list; empty where there is none. Raises ApiError."""
    value = body.get(name)
    if value is not None and not isinstance(value, list):
        raise bad_request(f"{name!r} must be a list", name)
    return value or []


def number(body: Json, name: str, rule: Number) -> Value | None:
    """A number that ``rule`` takes; 3.0 is a whole one too. Raises ApiError."""
    value = body.get(name)
    if value is None:
        return None
    if rule.whole and isinstance(value, float) and value.is_integer():
        value = int(value)
    try:
        return rule.check(value)
    except (ValueError, OverflowError):
        raise bad_request(f"{name!r} must be {rule.meaning}", name) from None


def setting(body: Json, name: str, field: str) -> Value | None:
    """A number that may be the setting ``field``. Raises ApiError."""
    rule = SETTINGS[field]
    assert isinstance(rule, Number)
    return number(body, name, rule)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number that JSON has")
