"""A schema's ``pattern``, rewritten so that two regex dialects mean the same by it.

JSON Schema's patterns are ECMAScript's; programs that read an answer check it with their own language's, and
the grammar engine has a third dialect: ``[a&&b]``, ``[[a]]``, ``\\W`` mean other things there. So a pattern
is taken apart by Python's own parser and written anew in what all read alike; where they differ in which
letters a class holds (``\\d``, ``\\w``, ``\\s``, ``.``), in those that all agree on.
"""

import re
import warnings
from collections.abc import Iterable
from importlib import import_module
from typing import Any

_parser: Any = import_module("re._parser")

_UNENDING = int(_parser.MAXREPEAT)
_LINE_ENDS = r"\n\r\x{2028}\x{2029}"
# By class: what surely belongs to it, and what might.
_CLASSES = {
    "DIGIT": ("0-9", r"\p{Nd}"),
    "WORD": ("0-9A-Za-z_", r"\p{L}\p{N}\p{M}\p{Pc}_"),
    "SPACE": (r"\t\n\x0b\x0c\r ", r"\p{White_Space}\x1c-\x1f\x{feff}"),
}


class UnsupportedPatternError(ValueError):
    """The pattern holds something that cannot be followed; says what."""


def common_pattern(pattern: str) -> str:
    """``pattern`` in the grammar engine's dialect, matching nothing that Python or ECMAScript would not.

    Raises UnsupportedPatternError.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # of what may mean something else some day
            parsed = _parser.parse(pattern)
    except RecursionError:
        raise UnsupportedPatternError("nested too deeply") from None
    except (re.error, OverflowError) as error:
        raise UnsupportedPatternError(str(error)) from None
    if parsed.state.flags & re.IGNORECASE:
        raise UnsupportedPatternError("flags such as (?i)")
    return _sequence(parsed)


def _sequence(items: Iterable[tuple[Any, Any]]) -> str:
    return "".join(_item(str(name), value) for name, value in items)


def _item(name: str, value: Any) -> str:
    match name:
        case "LITERAL":
            return _letter(value)
        case "NOT_LITERAL":
            return rf"[^\x{{{value:x}}}]"
        case "ANY":
            return f"[^{_LINE_ENDS}]"
        case "IN":
            return _set(value)
        case "BRANCH":
            return "(?:" + "|".join(_sequence(branch) for branch in value[1]) + ")"
        case "SUBPATTERN":
            _group, add, remove, items = value
            if add or remove:
                raise UnsupportedPatternError("flags such as (?i:...)")
            return f"(?:{_sequence(items)})"
        case "MAX_REPEAT" | "MIN_REPEAT":  # which of several matches is taken does not matter here
            least, most, items = value
            upper = "" if most == _UNENDING else str(most)
            return f"(?:{_sequence(items)}){{{least},{upper}}}"
        case "AT" if str(value) in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
            return "^"
        case "AT" if str(value) in ("AT_END", "AT_END_STRING"):
            return "$"
        case "AT":
            raise UnsupportedPatternError(r"word boundaries (\b, \B)")
        case "ASSERT" | "ASSERT_NOT":
            raise UnsupportedPatternError("looking ahead or behind, as (?=...) does")
        case "GROUPREF" | "GROUPREF_EXISTS":
            raise UnsupportedPatternError(r"references to groups, such as \1")
    raise UnsupportedPatternError(f"{name.lower().replace('_', ' ')}")


def _set(items: list[tuple[Any, Any]]) -> str:
    """A class of letters: written so that a letter that dialects differ on is not in it."""
    negated = str(items[0][0]) == "NEGATE"
    members: list[str] = []
    excluded: list[str] = []  # classes such as \D, of which there may be several: [\D\S]
    for kind, value in items[negated:]:
        match str(kind):
            case "LITERAL":
                members.append(rf"\x{{{value:x}}}" if negated else _letter(value))
            case "RANGE":
                if not negated and (value[1] < 32 or value[0] > 126):
                    _check_writable(*value)
                members.append(rf"\x{{{value[0]:x}}}-\x{{{value[1]:x}}}")
            case "CATEGORY":
                _, *negation, name = str(value).split("_")
                surely, perhaps = _CLASSES[name]
                if negation:
                    excluded.append(surely if negated else perhaps)
                else:
                    members.append(perhaps if negated else surely)
    if not negated:
        choices = [f"[{''.join(members)}]"] * bool(members) + [f"[^{each}]" for each in excluded]
        return f"(?:{'|'.join(choices)})"
    inside = "".join(f"[^{each}]" for each in excluded)
    return f"[^{''.join(members)}{inside}]"


def _letter(code: int) -> str:
    _check_writable(code)
    return rf"\x{{{code:x}}}"


def _check_writable(*codes: int) -> None:
    """Raise where the grammar engine cannot write these characters, and would leave them out instead."""
    for code in codes:
        if (code < 32 and chr(code) not in "\b\t\n\f\r") or code == 127 or 0xD800 <= code <= 0xDFFF:
            raise UnsupportedPatternError(f"the character U+{code:04X}")
