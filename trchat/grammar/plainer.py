"""Keywords that say nothing where they stand, or what a plainer one says as well.

The grammar engine refuses them by their names alone. What is written here instead means the same.
"""

from typing import Any

from trchat.grammar.finite import target_of

_IN_PLACE = frozenset(
    [
        "$dynamicRef",
        "$recursiveRef",
        "$ref",
        "allOf",
        "anyOf",
        "dependencies",
        "dependentSchemas",
        "else",
        "if",
        "not",
        "oneOf",
        "then",
    ]
)
"""Keywords whose schemas see the same value, and so may evaluate parts of it."""

_SAYS_NOTHING = frozenset(("$comment", "default", "deprecated", "description", "examples", "title"))


def plainer(schema: dict[str, Any], root: Any) -> dict[str, Any]:
    """``schema``, a part of ``root``, without such keywords."""
    new = dict(schema)
    _unevaluated(new)
    if "if" not in new:
        new.pop("then", None)
        new.pop("else", None)
    elif "then" not in new and "else" not in new:
        del new["if"]
    if "contains" not in new:
        new.pop("minContains", None)
        new.pop("maxContains", None)
    if new.get("not") is False:
        del new["not"]
    if new.get("uniqueItems") is False or int(new.get("maxItems", 2)) < 2:
        new.pop("uniqueItems", None)
    if "propertyNames" in new:
        _property_names(new, root)
    return new


def _unevaluated(schema: dict[str, Any]) -> None:
    """Alone, what is unevaluated is what is not listed."""
    alone = _IN_PLACE.isdisjoint(schema)
    for name, plain in (("unevaluatedProperties", "additionalProperties"), ("unevaluatedItems", "items")):
        if schema.get(name) in (True, {}):
            del schema[name]
        elif name in schema and alone and "contains" not in schema:
            rest = schema.pop(name)
            if isinstance(schema.get(plain), list):  # as drafts up to 2019-09 have it
                plain = "additionalItems"
            schema.setdefault(plain, rest)


def _property_names(schema: dict[str, Any], root: Any) -> None:
    """Names that must fit something are a list of them, or those of a pattern."""
    names = schema["propertyNames"]
    if isinstance(names, dict) and "$ref" in names and _SAYS_NOTHING.issuperset(names.keys() - {"$ref"}):
        names = target_of(root, names["$ref"])
    if names is True or (isinstance(names, dict) and _SAYS_NOTHING.union(("type",)).issuperset(names)):
        if names is True or names.get("type", "string") == "string":
            del schema["propertyNames"]
        return
    if not isinstance(names, dict) or "properties" in schema or "patternProperties" in schema:
        return
    said = names.keys() - _SAYS_NOTHING
    if "type" in said and names["type"] != "string":
        return
    more = schema.get("additionalProperties", True)
    if said - {"type"} in ({"enum"}, {"const"}):
        listed = names.get("enum", [names.get("const")])
        schema["properties"] = {name: more for name in listed if isinstance(name, str)}
    elif said - {"type"} == {"pattern"}:
        schema["patternProperties"] = {names["pattern"]: more}
    else:
        return
    schema["additionalProperties"] = False
    del schema["propertyNames"]
