"""Where a growing Markdown text can be cut, so that only its end has to be drawn again."""

import re

LONG_ENOUGH = 1500
"""Characters; shorter texts are not worth a cut."""

_BEGINS_A_BLOCK = re.compile(r"(#{1,6} |[^\W\d_]|\*\*)")
"""A heading or a plain paragraph. Lists, quotes, tables and indented lines may belong to what is above."""


def cut_point(text: str) -> int | None:
    """The latest place in ``text`` that a part of its own can begin at; None where there is none.

    That is a line after an empty one, outside fenced code, that no list or table above can claim.
    """
    if len(text) < LONG_ENOUGH:
        return None
    fence, position, after_blank, found = "", 0, False, None
    for line in text.split("\n"):
        begun = line.lstrip()
        if fence:
            if begun.startswith(fence) and not begun.strip(fence[0]).strip():
                fence = ""
        elif begun.startswith(("```", "~~~")):
            fence = begun[0] * (len(begun) - len(begun.lstrip(begun[0])))
        elif after_blank and position and _BEGINS_A_BLOCK.match(line):
            found = position
        after_blank = not begun
        position += len(line) + 1
    return found
