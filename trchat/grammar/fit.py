"""Whether an answer fits its JSON Schema, as it was written.

What a grammar lets through fits already. This is for the rest: numbers that are rounded when they are read,
names that occur twice, and faults in the grammar engine. A pattern may keep Python's own ``re`` busy for
ever, which nothing in the same process can end; so schemas with patterns are checked in another one. Run as
a script, this file is that process; it knows nothing but jsonschema.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SECONDS = 5
"""What a check with patterns may take; an honest one takes a third of a second, mostly to start."""


def objection(answer: str, schema: str) -> str | None:
    """Why ``answer`` is not JSON that fits ``schema`` (its text); None where it is.

    None too where its patterns keep ``re`` busy for too long: the grammar has seen to those.
    """
    if '"pattern' not in schema:
        return fault(answer, schema)
    try:
        checked = subprocess.run(
            [sys.executable, "-P", str(Path(__file__))],
            input=json.dumps([answer, schema]).encode(),
            capture_output=True,
            check=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        return None
    found: str | None = json.loads(checked.stdout)
    return found


def fault(answer: str, schema: str) -> str | None:
    """The same in this process, however long it takes."""
    import jsonschema
    from referencing import Registry

    try:
        value = json.loads(answer, object_pairs_hook=unique)
        content = json.loads(schema)
        kind = jsonschema.validators.validator_for(content, jsonschema.Draft202012Validator)
        # An empty registry: nothing is fetched from anywhere.
        error = next(kind(content, registry=Registry()).iter_errors(value), None)
    except RecursionError:
        return "it is nested too deeply"
    except Exception as fault:  # numbers of too many digits, and whatever a validator may meet
        return str(fault)
    return None if error is None else f"at {error.json_path}: {error.message}"


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which every name stands once; for ``json.loads``, which takes the last one."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {json.dumps(twice, ensure_ascii=False)[:80]} occurs twice")
    return found


if __name__ == "__main__":
    print(json.dumps(fault(*json.load(sys.stdin))))
