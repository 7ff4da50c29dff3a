"""Code in Markdown: taken out of an answer, and put into a question."""

import re
from typing import NamedTuple

from trchat.errors import UsageError
from trchat.text.number import whole_number

_FILE = re.compile(r"([^\n]*):\n(`{3,})\n(.*?)\n\2(?:\n+|\Z)", re.DOTALL)
# At any depth: models put code into lists, and indent it as they like.
_OPENING = re.compile(r"^([ \t]*)(`{3,}|~{3,})([^`\n]*)$", re.MULTILINE)

_MARKDOWN = ("markdown", "md", "mdx")


class CodeBlock(NamedTuple):
    """What stands inside a fence, and the language named behind it; empty where none is."""

    language: str
    text: str


def code_blocks(text: str) -> list[CodeBlock]:
    """The fenced code blocks, in order; to the end of ``text`` if one is never closed.

    Models put code into a block of Markdown without making the outer fence longer. There, a fence with a
    language opens an inner block, which the next fence closes.
    """
    blocks: list[CodeBlock] = []
    place = 0
    while opening := _OPENING.search(text, place):
        indent, language = len(opening[1]), opening[3].strip().split(" ")[0]
        inside, outside = _end(text, opening.end() + 1, opening[2], nests=language.lower() in _MARKDOWN)
        body = text[opening.end() + 1 : inside]
        # As Markdown has it: what the fence is indented by is not part of the code.
        body = re.sub(rf"^[ \t]{{1,{indent}}}", "", body, flags=re.MULTILINE) if indent else body
        blocks.append(CodeBlock(language, body))
        place = outside
    return blocks


def _end(text: str, start: int, fence: str, *, nests: bool) -> tuple[int, int]:
    """Where the block ends that starts there: its content, and its closing fence."""
    within = re.compile(rf"^[ \t]*{re.escape(fence[0])}{{{len(fence)},}}[ \t]*([^`\n]*)$", re.MULTILINE)
    depth = 1
    for found in within.finditer(text, start):
        if not found[1]:
            depth -= 1
        elif nests:
            depth += 1
        if not depth:
            return found.start(), found.end()
    return len(text), len(text)


def first_code_block(text: str) -> CodeBlock | None:
    """The first fenced code block; None without one."""
    return next(iter(code_blocks(text)), None)


def numbered_code_block(text: str, number: str) -> str:
    """The code block that a person means by ``number``, without its last line break.

    They count from 1; an empty ``number`` means the last one. Raises UsageError where there is none such.
    """
    blocks = code_blocks(text)
    if not blocks:
        raise UsageError("no code block in this message")
    wanted = whole_number(number) if number else len(blocks)
    if not wanted or wanted > len(blocks):
        there_are = (
            "there is only 1 code block" if len(blocks) == 1 else f"there are {len(blocks)} code blocks"
        )
        raise UsageError(f"{there_are}; give its number, from 1")
    return blocks[wanted - 1].text.removesuffix("\n")


def fenced_file(name: str, text: str) -> str:
    """A file as it stands in a question: below its name, in a fence that nothing in it can close."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{name}:\n{fence}\n{text}\n{fence}"


def split_files(text: str) -> tuple[list[tuple[str, str]], str]:
    """The files (see fenced_file) that a question begins with, by name and text, and the question itself."""
    files: list[tuple[str, str]] = []
    at = 0
    while found := _FILE.match(text, at):
        files.append((found[1], found[3]))
        at = found.end()
    return files, text[at:]


def without_files(text: str) -> str:
    """A question without the files that it begins with; all of it where nothing is left."""
    return split_files(text)[1] or text
