"""Code in Markdown: taken out of an answer, and put into a question."""

import re

_FILES = re.compile(r"(?:[^\n]*:\n(`{3,})\n.*?\n\1(?:\n+|\Z))+", re.DOTALL)
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


def fenced_file(name: str, text: str) -> str:
    """A file as it stands in a question: below its name, in a fence that nothing in it can close."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{name}:\n{fence}\n{text}\n{fence}"


def without_files(text: str) -> str:
    """A question without the files (see fenced_file) that it begins with; all of it where nothing is left."""
    files = _FILES.match(text)
    return text[files.end() :] or text if files else text
