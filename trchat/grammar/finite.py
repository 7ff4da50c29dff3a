"""Schemas that refer to themselves: whether values that fit them end, and whether checking a value does.

``{"properties": {"next": {"$ref": "#"}}, "required": ["next"]}`` means something, but no text: an answer
would go on for ever. A grammar is never done with it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

PLACES = {
    "one": ("additionalItems", "additionalProperties", "items"),
    "lists": ("allOf", "anyOf", "items", "oneOf", "prefixItems"),
    "maps": ("$defs", "definitions", "patternProperties", "properties"),
}
"""Where in a schema others stand: one, a list of them, or one for each name."""

Kinds = frozenset[str]
"""Kinds of values, as ``type`` calls them, whole numbers with the others."""

ALL: Kinds = frozenset(("null", "boolean", "number", "string", "array", "object"))
NONE: Kinds = frozenset()


def target_of(root: Any, reference: object) -> Any:
    """What a reference into the same file (``#/...``) refers to; None for others, and where nothing is."""
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        return None
    target = root
    try:
        for step in reference.split("/")[1:]:
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            target = target[int(name)] if isinstance(target, list) else target[name]
    except (LookupError, TypeError, ValueError):
        return None
    return target


class Finite:
    """Tells which parts of a schema only endless values fit. Keep the schema as it is meanwhile."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._parts: dict[int, dict[str, Any]] = {}
        self._users: defaultdict[int, set[int]] = defaultdict(set)
        self._references: list[tuple[str, dict[str, Any], Any]] = []
        self._collect()
        # From nothing upwards: what comes to an end. From everything downwards: what also may go on for ever.
        self._ending = self._settled(NONE)
        self._any = self._settled(ALL)

    def is_endless(self, schema: Any) -> bool:
        """Whether values fit this part of the schema, but none that comes to an end."""
        key = id(schema)
        return key in self._parts and not self._ending[key] and bool(self._any[key])

    def endless_reference(self) -> str:
        """Where the first reference stands to something that is endless; empty where none does."""
        return next((where for where, _, target in self._references if self.is_endless(target)), "")

    def circle(self) -> str:
        """Where the first reference stands that leads back to where it came from without going into a value.

        Who checks a value by it never comes to an end. Empty where there is none.
        """
        ahead = {key: [id(each) for each in self._in_place(part)] for key, part in self._parts.items()}
        left = {key: sum(each in ahead for each in others) for key, others in ahead.items()}
        before: defaultdict[int, list[int]] = defaultdict(list)
        for key, others in ahead.items():
            for each in others:
                before[each].append(key)
        waiting = [key for key, count in left.items() if not count]
        while waiting:  # what leads nowhere, and then what leads only there
            key = waiting.pop()
            del left[key]
            for each in before[key]:
                left[each] -= 1
                if not left[each]:
                    waiting.append(each)
        return next((at for at, one, other in self._references if id(one) in left and id(other) in left), "")

    def _in_place(self, schema: dict[str, Any]) -> Iterator[Any]:
        """The schemas that see the same value as this one."""
        if "$ref" in schema:
            yield target_of(self._root, schema["$ref"])
        for name in ("allOf", "anyOf", "oneOf"):
            yield from schema.get(name, ())

    def _collect(self) -> None:
        waiting = [(self._root, "#")]
        while waiting:
            schema, where = waiting.pop()
            if not isinstance(schema, dict) or id(schema) in self._parts:
                continue
            self._parts[id(schema)] = schema
            inner = list(_inner(schema, where))
            if (target := target_of(self._root, schema.get("$ref"))) is not None:
                self._references.append((where, schema, target))
                inner.append((target, str(schema["$ref"])))
            for part, _ in inner:
                self._users[id(part)].add(id(schema))
            waiting.extend(reversed(inner))

    def _settled(self, first: Kinds) -> dict[int, Kinds]:
        """Kinds of values for each part, from ``first`` on until nothing changes any more."""
        known = dict.fromkeys(self._parts, first)
        waiting = list(reversed(self._parts))
        while waiting:
            key = waiting.pop()
            kinds = self._kinds(self._parts[key], lambda part: _known(part, known))
            if kinds != known[key]:
                known[key] = kinds
                waiting.extend(self._users[key])
        return known

    def _kinds(self, schema: dict[str, Any], of: Callable[[Any], Kinds]) -> Kinds:
        """Kinds of values that fit ``schema``, as far as ``of`` tells what its parts allow."""
        kinds = ALL
        if "type" in schema:
            types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
            kinds &= frozenset("number" if each == "integer" else each for each in types)
        if "const" in schema or "enum" in schema:  # these are written out, and so end
            kinds &= frozenset(map(_kind, schema.get("enum", [schema.get("const")])))
        else:
            if not _has_object(schema, of):
                kinds -= {"object"}
            if not _has_array(schema, of):
                kinds -= {"array"}
        if (target := target_of(self._root, schema.get("$ref"))) is not None:
            kinds &= of(target)
        for each in schema.get("allOf", ()):
            kinds &= of(each)
        for choice in ("anyOf", "oneOf"):
            if choice in schema:
                kinds &= NONE.union(*map(of, schema[choice]))
        return kinds


def _inner(schema: dict[str, Any], where: str) -> Iterator[tuple[Any, str]]:
    """The schemas in a schema, each with its place."""
    for name in PLACES["one"]:
        if isinstance(schema.get(name), dict):
            yield schema[name], f"{where}/{name}"
    for name in PLACES["lists"]:
        if isinstance(schema.get(name), list):
            yield from ((each, f"{where}/{name}/{i}") for i, each in enumerate(schema[name]))
    for name in PLACES["maps"]:
        if isinstance(schema.get(name), dict):
            yield from ((each, f"{where}/{name}/{key}") for key, each in schema[name].items())


def _known(part: Any, known: dict[int, Kinds]) -> Kinds:
    """``true`` and what is no schema at all allow everything, ``false`` nothing."""
    return NONE if part is False else known.get(id(part), ALL)


def _has_object(schema: dict[str, Any], of: Callable[[Any], Kinds]) -> bool:
    """Whether there is an object that fits, by what it must hold."""
    properties, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    more = schema.get("additionalProperties", True)
    for name in schema.get("required", ()):
        if name in properties and not of(properties[name]):
            return False
        if name not in properties and not patterns and not of(more):
            return False
    if schema.get("minProperties", 0) and not schema.get("required"):
        return any(map(of, (*properties.values(), *patterns.values(), more)))
    return True


def _has_array(schema: dict[str, Any], of: Callable[[Any], Kinds]) -> bool:
    """Whether there is an array that fits, by what it must hold."""
    items = schema.get("items", True)
    first = items if isinstance(items, list) else schema.get("prefixItems", [])
    rest = schema.get("additionalItems", True) if isinstance(items, list) else items
    least = int(schema.get("minItems", 0))
    return all(map(of, first[:least])) and (least <= len(first) or bool(of(rest)))


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    kinds = {bool: "boolean", str: "string", list: "array", dict: "object"}
    return kinds.get(type(value), "number")
