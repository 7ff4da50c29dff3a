"""JSON Schemas: read, and refused by name where they cannot be followed.

The grammar engine (llguidance) turns a schema into a grammar. Some of what it would do differently from how
schemas are checked is put right before: see ``_rewritten``.
"""

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trchat.errors import UsageError
from trchat.grammar.finite import PLACES, Finite, target_of
from trchat.grammar.fit import unique
from trchat.grammar.pattern import UnsupportedPatternError, common_pattern
from trchat.grammar.plainer import plainer
from trchat.text.one_line import one_line

if TYPE_CHECKING:
    from llguidance._lib import JsonCompileOptions

LARGEST = 2**53
"""Beyond, programs that read JSON round whole numbers, and not all alike."""
SMALLEST = 1e-15
"""No answer is nearer to a bound of 0 that does not belong to the range."""

_DRAFTS = ("draft-04/", "draft-06/", "draft-07/", "draft/2019-09/", "draft/2020-12/")
_COUNTS = ("maxItems", "maxLength", "maxProperties", "minItems", "minLength", "minProperties")
_NUMBERS = ("exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum", "multipleOf")

# Narrower than the engine's: no 29 February in other years, no year 0, no leap second, which depend on more
# than a letter's neighbours; no punycode, which has rules of its own.
_LEAP_YEAR = r"([0-9]{2}(0[48]|[2468][048]|[13579][26])|([2468][048]|[13579][26]|0[48])00)"
_YEAR = r"([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
_DAY = (
    "((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
)
_DATE = f"{_YEAR}-{_DAY}|{_LEAP_YEAR}-02-29"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
_LABEL = "[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*"
_FORMATS: dict[str, dict[str, object]] = {
    "date": {"pattern": f"^({_DATE})$"},
    "time": {"pattern": f"^{_TIME}$"},
    "date-time": {"pattern": f"^({_DATE})T{_TIME}$"},
    "hostname": {"pattern": rf"^{_LABEL}(\.{_LABEL})*$", "maxLength": 63},
}


_OPTIONS: "JsonCompileOptions" = {
    # One way to write everything, the usual one: the more is fixed, the less the model is needed for, and no
    # answer can go on with blanks for ever.
    "item_separator": ", ",
    "key_separator": ": ",
    "whitespace_flexible": False,
    "json_allowed_escapes": 'nrbtf\\"',
    "lenient": False,
    "coerce_one_of": False,
}
_KEPT_FORMATS = "date, time, date-time, duration, email, hostname, ipv4, ipv6, uri, uuid"
_REFUSALS = {
    "Unknown format:": f'"format": {{rest}} is not one of those that can be kept to ({_KEPT_FORMATS})',
    "oneOf constraints are not supported": '"oneOf": nothing in its choices tells that only one can be true, '
    'as types or a required property with a "const" would; "anyOf" can be kept to',
    "patternProperty regexes": '"patternProperties": a name may match more than one of its patterns:{rest}',
    "min/maxProperties only supported": '"minProperties" and "maxProperties" can be kept to only where all '
    '"properties" are required',
    "Unsatisfiable schema:": "nothing fits it: {rest}",
    "Resource '": '"$ref": only what is in this file can be referred to',
    "Pointer '": '"$ref": \'{rest}',
    "Anchor '": '"$ref": \'{rest}',
    "circular references with sibling keys": '"$ref": a circle of references with keywords beside them',
    "lookarounds not supported": '"pattern": word boundaries and the like{rest}',
    "lexer error: too many": '"pattern", or a count: following it takes too many steps',
    "Unable to determine if regex is empty": '"pattern": whether anything fits takes too many steps',
    "Too many items": "it can be read in too many ways at once",
    "Schema intersection stack level exceeded": '"allOf", or keywords beside "$ref", nested too deeply',
}

# JSON has no short way to write these; the long one (\\u007F) is left out of the grammar, where it would let
# a name be written in two ways, and so twice.
_UNWRITABLE = re.compile(r"[\x00-\x07\x0b\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Schema:
    """What an answer must fit.

    Attributes:
        text: the schema as it was written.
        grammar: the same for the grammar engine.
    """

    text: str
    grammar: str


def read_schema(text: str, source: str) -> Schema:
    """A JSON Schema that can be followed, as far as reading it tells; else UsageError, naming ``source``."""
    try:
        content = json.loads(text, object_pairs_hook=unique, parse_constant=_no_number)
    except RecursionError:
        raise UsageError(f"{source} is nested too deeply") from None
    except ValueError as error:
        raise UsageError(f"{source} is not JSON: {error}") from None
    if not isinstance(content, dict | bool):
        raise UsageError(f"{source} is not a JSON Schema: it must be an object, true or false")
    try:
        _check_form(content)
        rewritten = _Rewriting(content).rewritten(content, "#")
    except RecursionError:
        raise UsageError(f"{source} is nested too deeply") from None
    except _CannotFollowError as error:
        raise UsageError(f"{source} cannot be followed: {error}") from None
    if isinstance(rewritten, bool):
        rewritten = {} if rewritten else {"enum": []}
    from llguidance import LLMatcher

    grammar = LLMatcher.grammar_from_json_schema(json.dumps(rewritten), overrides=_OPTIONS)
    return Schema(text, grammar)


def refusal(objection: str) -> str:
    """Which keyword the grammar engine cannot follow and why, from its own words (a beginning of them)."""
    line = objection.strip().split("\n", 1)[0]
    if match := re.match(r'Unimplemented keys: \["(.*)"\]', line):
        names = match[1].split('", "')
        keywords = " and ".join(_shown(name) for name in names)
        return f"{keywords} cannot be kept to while an answer is written"
    for beginning, reason in _REFUSALS.items():
        if line.startswith(beginning):
            rest = " ".join(
                "".join(each if each.isprintable() else " " for each in line[len(beginning) :]).split()
            )
            return reason.format(rest=rest[:100].strip())
    return "too complex, or nothing fits it" if not line or "NoExtension" in line else one_line(line)[:200]


class _CannotFollowError(Exception):
    """Says which keyword and why."""


def _check_form(content: dict[str, Any] | bool) -> None:
    """Hold the schema against the schema of schemas."""
    import jsonschema

    draft = content.get("$schema") if isinstance(content, dict) else None
    if draft is not None and not _known_draft(draft):
        raise _CannotFollowError(
            f'"$schema": {_shown(draft)} is no draft that is known (4, 6, 7, 2019-09, 2020-12)'
        )
    kind = jsonschema.validators.validator_for(content, jsonschema.Draft202012Validator)
    error = jsonschema.exceptions.best_match(kind(kind.META_SCHEMA).iter_errors(content))
    if error is not None:
        where = "/".join(["#", *(str(step) for step in error.absolute_path)])
        raise _CannotFollowError(f"at {where}: {error.message[:120]}")


def _known_draft(draft: object) -> bool:
    match = re.fullmatch(r"https?://json-schema\.org/(.*)schema#?", draft) if isinstance(draft, str) else None
    return match is not None and match[1] in _DRAFTS


class _Rewriting:
    """Makes of a schema one that means the same, in what the grammar engine gets right."""

    def __init__(self, root: dict[str, Any] | bool) -> None:
        self._root = root
        self._anchors_say_nothing = '"$dynamicRef"' not in json.dumps(root)
        self._finite = Finite(root)
        if self._finite.is_endless(root):
            where = self._finite.endless_reference()
            raise _CannotFollowError(
                f'"$ref" at {where}: what fits it holds something of its own kind, that again something, '
                "and so on without end"
            )
        if where := self._finite.circle():
            raise _CannotFollowError(f'"$ref" at {where}: it leads back to itself without going into a value')

    def rewritten(self, schema: Any, where: str) -> Any:
        if not isinstance(schema, dict):
            return schema
        if self._finite.is_endless(schema):
            return False
        new = plainer(schema, self._root)
        new.pop("x-guidance", None)  # the engine's own switches
        if self._anchors_say_nothing:
            new.pop("$dynamicAnchor", None)
        for name in _COUNTS:
            if name in new:  # 2.0 is a whole number too
                new[name] = int(new[name])
        for name in _NUMBERS:
            if not isinstance(new.get(name, True), bool):
                _check_number(new[name], LARGEST, f'"{name}" at {where}')
        for name in ("const", "enum", "properties", "required"):
            if name in new:
                _check_value(new[name] if name != "properties" else list(new[name]), f'"{name}" at {where}')
        if not _exact(new.get("multipleOf", 1)):
            raise _CannotFollowError(
                f'"multipleOf" at {where}: no binary number is exactly {new["multipleOf"]}, so that even its '
                "multiples are none when they are checked; whole numbers work, and 0.5, 0.25 and so on"
            )
        _close_bounds(new)
        if "pattern" in new:
            new["pattern"] = _pattern(new["pattern"], f'"pattern" at {where}')
        if "patternProperties" in new:
            new["patternProperties"] = {
                _pattern(pattern, f'"patternProperties" at {where}'): value
                for pattern, value in new["patternProperties"].items()
            }
        if "oneOf" in new:  # whether choices exclude each other is seen only where they stand
            new["oneOf"] = [self._standing_here(choice) for choice in new["oneOf"]]
        for name in PLACES["one"]:
            if isinstance(new.get(name), dict):
                new[name] = self.rewritten(new[name], f"{where}/{name}")
        for name in PLACES["lists"]:
            if isinstance(new.get(name), list):
                if name in ("anyOf", "oneOf"):
                    new[name] = [each for each in new[name] if not self._finite.is_endless(each)]
                new[name] = [self.rewritten(each, f"{where}/{name}/{i}") for i, each in enumerate(new[name])]
        for name in PLACES["maps"]:
            if isinstance(new.get(name), dict):
                new[name] = {
                    key: self.rewritten(each, f"{where}/{name}/{key}") for key, each in new[name].items()
                }
        narrower = _FORMATS.get(new.get("format", ""))
        if narrower is not None:
            del new["format"]
            new["allOf"] = [*new.get("allOf", ()), narrower]
        return new

    def _standing_here(self, choice: Any) -> Any:
        """A choice that is a mere reference into this file, replaced by what it refers to."""
        if not isinstance(choice, dict) or set(choice) != {"$ref"}:
            return choice
        target = target_of(self._root, choice["$ref"])
        return target if isinstance(target, dict) and "$id" not in target else choice


def _close_bounds(schema: dict[str, Any]) -> None:
    """Replace bounds that do not belong to the range by numbers a little inside: by eight roundings.

    What is nearer would be the bound itself once it is read as a binary number.
    """
    for exclusive, inclusive, inwards, tighter in (
        ("exclusiveMinimum", "minimum", 1, max),
        ("exclusiveMaximum", "maximum", -1, min),
    ):
        bound = schema.get(exclusive)
        if bound is True:  # as draft 4 has it
            bound = schema.get(inclusive)
        if schema.get("type") == "integer" or bound is None or bound is False:
            continue
        del schema[exclusive]
        inside = bound + inwards * max(abs(bound) * 2**-49, SMALLEST)
        schema[inclusive] = tighter(inside, schema.get(inclusive, inside))


def _check_value(value: Any, where: str) -> None:
    """Whether a value that is meant literally can be written as it is."""
    if isinstance(value, list):
        for each in value:
            _check_value(each, where)
    elif isinstance(value, dict):
        _check_value([*value, *value.values()], where)
    elif isinstance(value, str):
        if character := _UNWRITABLE.search(value):
            raise _CannotFollowError(f"{where}: the character U+{ord(character[0]):04X} cannot be written")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _check_number(value, math.inf, where)


def _check_number(number: float, largest: float, where: str) -> None:
    try:
        exact = float(number) == number and (isinstance(number, int) or float(f"{number:.15g}") == number)
    except OverflowError:
        exact = False
    if not exact or math.isinf(number) or (number and not SMALLEST <= abs(number) <= largest):
        raise _CannotFollowError(f"{where}: {number} has too many digits to be kept exactly")


def _exact(number: float) -> bool:
    """Whether a binary number is meant by it: a whole one, or one that is after a few halvings."""
    return (number * 1024) % 1 == 0


def _pattern(pattern: str, where: str) -> str:
    try:
        return common_pattern(pattern)
    except UnsupportedPatternError as error:
        raise _CannotFollowError(f"{where}, {_shown(pattern)}: {error}") from None


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number that JSON has")


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)[:80]
