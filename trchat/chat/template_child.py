"""The process that renders chat templates, so that a hostile one can be ended from outside.

A template comes with a model file from anywhere, and Jinja's sandbox stops neither endless loops nor
gigabytes of output nor a single operation that never returns. So this process renders, ends itself when it
takes too long or too much memory, and the program reads that as an answer. Run as a script, it knows
nothing but jinja2 and the standard library, and starts in a tenth of a second.

One JSON object a line in, one out:
``{"source", "bos", "eos"}`` compiles -> ``{"ok": "", "reads": names}``, the variables it looks up;
``{"messages", "variables"}`` renders -> ``{"ok": prompt}``, the variables laid over those that every template
gets; else ``{"error": "syntax"|"refused"|"failed", "message"}``.
"""

import contextlib
import faulthandler
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any

MEMORY = 1 << 30
"""Bytes this process may have, where the system can limit that."""
OUTPUT = 1 << 20
"""Characters a prompt may have beyond a multiple of the conversation's: what takes a second to tokenise."""
LONGEST_FORM = 200
"""Characters."""
_WIDE = re.compile(r"%[-_0^#+]*\d{3}")
"""A field of a hundred characters and more, which C's library takes memory for before anybody can say no."""
REPEATS = 4
"""How often a template may repeat the conversation, counted as it is written in JSON."""


class RefusedError(Exception):
    """The template itself called ``raise_exception``."""


def main(seconds: float) -> None:
    """Answer requests until the input ends; any one of them may take ``seconds`` of the processor."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program, which then closes our input
    _limit_memory()
    environment = _environment()
    template: Any = None
    names: dict[str, str] = {}
    with Path(os.devnull).open("w") as nowhere:
        for line in sys.stdin:
            request = json.loads(line)
            _watch(seconds, nowhere)
            if "source" in request:
                names = {"bos_token": request["bos"], "eos_token": request["eos"]}
                template, answer = _compile(environment, request["source"])
            else:
                variables = {**names, **request["variables"]}
                answer = _render(template, request["messages"], variables, OUTPUT + REPEATS * len(line))
            _watch(0, nowhere)
            print(json.dumps(answer), flush=True)


def _watch(seconds: float, nowhere: IO[str]) -> None:
    """End this process once it has computed for ``seconds``; 0 = no longer.

    It needs no interpreter lock: it also ends what never returns to Python. Where the system does not count
    a process's own time, it is that of the clock, which runs on while others compute.
    """
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)
    elif seconds:
        faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
    else:
        faulthandler.cancel_dump_traceback_later()


def _compile(environment: Any, source: str) -> tuple[Any, dict[str, Any]]:
    from jinja2 import TemplateError
    from jinja2.meta import find_undeclared_variables

    try:
        reads = sorted(find_undeclared_variables(environment.parse(source)))
        return environment.from_string(source), {"ok": "", "reads": reads}
    except (TemplateError, RecursionError, MemoryError, ValueError, SyntaxError) as error:
        return None, {"error": "syntax", "message": _line(error)}


def _render(
    template: Any, messages: list[dict[str, Any]], variables: dict[str, Any], limit: int
) -> dict[str, Any]:
    """Render what the ``transformers`` library and llama.cpp would, with what both of them provide.

    ``limit`` is what it may write, in characters.

    What is not there is undefined, as in llama.cpp: a conversation without tools has no ``tools``. (Where
    they are None instead, as in transformers, some templates measure the length of it.) The two dates are
    llama.cpp's own.
    """
    now = datetime.now()
    provided = {
        "messages": messages,
        "add_generation_prompt": True,
        "raise_exception": _refuse,
        "strftime_now": _now,
        "date_string": now.strftime("%d %b %Y"),
        "datetime": now.strftime("%b %d %Y"),
    }
    parts: list[str] = []
    length = 0
    try:
        for part in template.generate({**provided, **variables}):
            length += len(part)
            if length > limit:
                return {"error": "failed", "message": "it writes without end"}
            parts.append(part)
    except RefusedError as error:
        return {"error": "refused", "message": _line(error)}
    except Exception as error:  # a template can raise whatever it likes
        return {"error": "failed", "message": _line(error)}
    return {"ok": "".join(parts)}


def _environment() -> Any:
    """jinja2's sandbox, set up as the ``transformers`` library does, whose templates these are."""
    import jinja2.ext
    import jinja2.nodes
    import jinja2.parser
    import jinja2.sandbox

    class Generation(jinja2.ext.Extension):
        """Passes ``{% generation %}`` through, a mark that only training needs."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
            parser.stream.skip(1)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    return environment


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
        default=_listed,
    )


def _listed(value: Any) -> list[Any]:
    """What a filter such as ``map`` leaves: a list, as llama.cpp has it."""
    if isinstance(value, Iterator):
        return list(value)
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")


def _now(form: str) -> str:
    """Today, in a form that is no longer than any date: C's own function can end the process over others."""
    if not isinstance(form, str) or len(form) > LONGEST_FORM or _WIDE.search(form):
        raise ValueError(f"strftime_now cannot write {form!r:.40}")
    return datetime.now().strftime(form)


def _refuse(message: object) -> None:
    raise RefusedError(str(message))


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # not on Windows, where the time limit alone must do

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


if __name__ == "__main__":
    main(float(sys.argv[1]))
