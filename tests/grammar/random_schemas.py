"""Random JSON Schemas over every keyword that answers can be held to.

Each can be followed, but for a reference that refers to nothing but itself, which nothing fits.
"""

from random import Random

from trchat.grammar.finite import Finite

WORDS = ["a", "b", "name", "straße", "日本", "👍", 'say "hi"', "C:\\new", "two\nlines", "", "a/b~c", "\t"]
PATTERNS = [
    "^[a-c]{2,4}$",
    "^\\d{3}-\\d{4}$",
    "^(foo|ba[rz])+$",
    "x",
    "^hello there\\\\!$",
    "^\\w+@\\w+\\.(com|org)$",
    "^[^\\d\\s]{1,5}$",
    "\\d$",
    "^#[0-9a-fA-F]{6}$",
    "^[äöü]+$",
    "^(?:a|b)*c?$",
    "^.{2}$",
    "^\\S+$",
    "^\\D\\W$",
    "^a|b$",
]
KEY_PATTERNS = ["^x-", "^[0-9]+$", "^é"]
FORMATS = ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"]


class Schemas:
    """Makes schemas; ``$defs`` are collected on the way."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.definitions = {}

    def whole(self):
        """A schema with its definitions; a person may also have written ``true``."""
        while True:
            self.definitions = {}
            schema = self.schema(0)
            if self.definitions and isinstance(schema, dict):
                schema["$defs"] = self.definitions
            if not Finite(schema).circle():  # which is refused
                return schema

    def schema(self, depth):
        random = self.random
        kinds = [self.string, self.number, self.integer, self.enum, self.const, self.scalar]
        if depth < 3:
            kinds += [self.array, self.object, self.map, self.union, self.both, self.reference] * 2
        if depth == 3:
            kinds += [self.anything]
        schema = random.choice(kinds)(depth)
        if isinstance(schema, dict) and random.random() < 0.2:
            schema["description"] = random.choice(WORDS)
        return schema

    def some(self, **keywords):
        return {name: value for name, value in keywords.items() if self.random.random() < 0.5}

    def anything(self, depth):
        return self.random.choice([True, {}, {"title": "anything"}])

    def scalar(self, depth):
        return {
            "type": self.random.choice(
                ["null", "boolean", ["boolean", "null"], ["integer", "null", "string"]]
            )
        }

    def string(self, depth):
        random = self.random
        low = random.randrange(4)
        schema = {"type": "string"}
        match random.randrange(4):
            case 0:
                schema |= self.some(minLength=low, maxLength=low + random.randrange(1, 6))
            case 1:
                schema["pattern"] = random.choice(PATTERNS)
            case 2:
                schema["format"] = random.choice(FORMATS)
            case 3 if random.random() < 0.5:
                schema = {"type": ["string", "null"], "maxLength": low}
        return schema

    def number(self, depth):
        random = self.random
        low = random.choice([-7, -0.5, 0, 0.25, 3, 1e3, 1.5e-3])
        high = low + random.choice([0.5, 1, 10.75, 1000])
        schema = {"type": "number"}
        schema |= self.some(**{random.choice(["minimum", "exclusiveMinimum"]): low})
        schema |= self.some(**{random.choice(["maximum", "exclusiveMaximum"]): high})
        if random.random() < 0.2:
            schema = {"type": "number", "multipleOf": random.choice([0.5, 2, 0.25, 3])}
        return schema

    def integer(self, depth):
        random = self.random
        low = random.choice([-100, -1, 0, 1, 12, 10**6])
        high = low + random.randrange(8, 300)
        schema = {"type": "integer"}
        schema |= self.some(**{random.choice(["minimum", "exclusiveMinimum"]): low})
        schema |= self.some(**{random.choice(["maximum", "exclusiveMaximum"]): high})
        if random.random() < 0.3:
            schema["multipleOf"] = random.choice([1, 2, 3, 7])
        return schema

    def value(self, depth=0):
        random = self.random
        kinds = [None, True, False, 0, -3, 2.5, 1e20, 10**12, *WORDS]
        if depth < 2 and random.random() < 0.3:
            if random.random() < 0.5:
                return [self.value(depth + 1) for _ in range(random.randrange(3))]
            return {random.choice(WORDS): self.value(depth + 1) for _ in range(random.randrange(3))}
        return random.choice(kinds)

    def enum(self, depth):
        values = [self.value() for _ in range(self.random.randrange(1, 5))]
        schema = {"enum": values}
        if self.random.random() < 0.3 and all(isinstance(value, str) or value is None for value in values):
            schema["type"] = ["string", "null"]
        return schema

    def const(self, depth):
        return {"const": self.value()}

    def array(self, depth):
        random = self.random
        schema = {"type": "array"}
        low = random.randrange(3)
        if random.random() < 0.4:
            schema["prefixItems"] = [self.schema(depth + 1) for _ in range(random.randrange(1, 3))]
        if random.random() < 0.8:
            schema["items"] = self.schema(depth + 1)
        elif "prefixItems" in schema:
            schema["items"] = False
            low = min(low, len(schema["prefixItems"]))
        schema |= self.some(minItems=low)
        if random.random() < 0.8:
            schema["maxItems"] = low + random.randrange(3)
        return schema

    def object(self, depth):
        random = self.random
        names = random.sample(WORDS, random.randrange(1, 4))
        schema = {"type": "object", "properties": {name: self.schema(depth + 1) for name in names}}
        schema |= self.some(required=[name for name in names if random.random() < 0.6])
        match random.randrange(5):
            case 0:
                schema["additionalProperties"] = False
            case 1:
                schema["additionalProperties"] = self.schema(3)
            case 2:
                schema["additionalProperties"] = self.schema(depth + 1)
            case 3:
                schema["patternProperties"] = {random.choice(KEY_PATTERNS): self.schema(depth + 1)}
                schema["additionalProperties"] = False
        if random.random() < 0.2:
            schema["required"] = names
            schema["maxProperties"] = len(names) + random.randrange(2)
        return schema

    def map(self, depth):
        random = self.random
        schema = {"type": "object", "additionalProperties": self.schema(depth + 1)}
        schema |= self.some(maxProperties=random.randrange(1, 4))
        if random.random() < 0.3:
            schema |= {"patternProperties": {random.choice(KEY_PATTERNS): self.schema(3)}}
        return schema

    def union(self, depth):
        random = self.random
        if random.random() < 0.4:  # told apart by a constant, as programs do
            return {
                "oneOf": [
                    {
                        "type": "object",
                        "properties": {"kind": {"const": kind}, "value": self.schema(depth + 1)},
                        "required": ["kind", "value"],
                    }
                    for kind in random.sample(WORDS, 2)
                ]
            }
        return {"anyOf": [self.schema(depth + 1) for _ in range(random.randrange(1, 4))]}

    def both(self, depth):
        random = self.random
        first = {"type": "object", "properties": {"a": self.schema(depth + 1)}, "required": ["a"]}
        second = {"type": "object", "properties": {"b": self.schema(depth + 1)}}
        schema = {"allOf": [first, second]}
        if random.random() < 0.5:
            schema["properties"] = {"c": self.schema(3)}
        return schema

    def reference(self, depth):
        random = self.random
        name = random.choice(["tree", "a~b", "name", "status"])
        if name not in self.definitions:
            self.definitions[name] = {}
            if name == "tree":
                self.definitions[name] = {
                    "type": "object",
                    "properties": {
                        "value": self.schema(3),
                        "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}, "maxItems": 2},
                    },
                    "required": ["value"],
                    "additionalProperties": False,
                }
            else:
                self.definitions[name] = self.schema(depth + 1)
        schema = {"$ref": "#/$defs/" + name.replace("~", "~0")}
        if random.random() < 0.2 and name != "tree":
            schema["title"] = "beside a reference"
        return schema
