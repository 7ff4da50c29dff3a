"""Finds the code in an answer written in Markdown."""

import re

_OPENING = re.compile(r"^ {0,3}(`{3,}|~{3,})([^`\n]*)$", re.MULTILINE)


def first_code_block(text: str) -> str | None:
    """What stands inside the first fenced code block, to the end if it is never closed; None without one."""
    opening = _OPENING.search(text)
    if opening is None:
        return None
    fence = opening[1]
    body = text[opening.end() + 1 :]
    closing = re.search(rf"^ {{0,3}}{re.escape(fence[0])}{{{len(fence)},}}[ \t]*$", body, re.MULTILINE)
    return body[: closing.start()] if closing else body
