"""Markdown as chat models write it and people read it, parsed into blocks.

CommonMark, but: single line breaks stay; a backslash before a bracket or a comma is not an escape; formulas
are shown as Unicode where they can be, else as they stand; ``__init__`` is a name and nothing bold.
"""

import re
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from trchat.text.visible import visible
from trchat.tui.formulas import unicode_formula

_NAME = re.compile(r"__[a-z0-9][a-z0-9_]*__(?![A-Za-z0-9_])")
_KEPT_BACKSLASH = frozenset("()[]{},;:")
_DELIMITERS = (("\\(", "\\)"), ("\\[", "\\]"), ("$$", "$$"))
# What stands between dollars: nothing that begins or ends with a space, or that could be an amount or a path.
_DOLLARS = re.compile(r"\$(?![\s$])([^$\n]{1,300}?)(?<![\s\\])\$(?![A-Za-z0-9$])")
_IS_FORMULA = re.compile(r"[\\^_={}+*<>-]|^[A-Za-z](?:'|\(\w\))?$")
_BLOCK_OPENERS = {"\\[": "\\]", "$$": "$$"}


def _formula(state: StateInline, silent: bool) -> bool:
    """``\\( … \\)``, ``\\[ … \\]``, ``$$ … $$`` and ``$ … $``."""
    source = state.src
    for opener, closer in _DELIMITERS:
        if source.startswith(opener, state.pos):
            end = source.find(closer, state.pos + 2, state.posMax)
            if end < 0:
                return False
            _push(state, silent, source[state.pos + 2 : end], end + 2)
            return True
    if source[state.pos] != "$" or (state.pos and source[state.pos - 1].isalnum()):
        return False
    found = _DOLLARS.match(source, state.pos, state.posMax)
    if not found or not _IS_FORMULA.search(found[1]):
        return False
    _push(state, silent, found[1], found.end())
    return True


def _push(state: StateInline, silent: bool, formula: str, end: int) -> None:
    """Show a formula; one that cannot be shown stands there with its delimiters."""
    if not silent:
        for number, line in enumerate((unicode_formula(formula) or state.src[state.pos : end]).split("\n")):
            if number:
                state.push("hardbreak", "br", 0)
            state.push("text", "", 0).content = line
    state.pos = end


def _formula_block(state: StateBlock, first: int, last: int, silent: bool) -> bool:
    """A formula on lines of its own: what is in it is not a list, heading or quotation."""
    start, end = state.bMarks[first] + state.tShift[first], state.eMarks[first]
    closer = _BLOCK_OPENERS.get(state.src[start : start + 2])
    if closer is None or state.sCount[first] - state.blkIndent >= 4:
        return False
    line = first
    at = state.src.find(closer, start + 2, end)
    while at < 0:
        line += 1
        if line >= last or state.sCount[line] < state.blkIndent:
            return False
        at = state.src.find(closer, state.bMarks[line], state.eMarks[line])
    if state.src[at + 2 : state.eMarks[line]].strip(" .,;"):
        return False  # a sentence that begins with a formula
    if silent:
        return True
    state.line = line + 1
    state.push("paragraph_open", "p", 1).map = [first, state.line]
    token = state.push("inline", "", 0)
    token.content = state.getLines(first, state.line, state.blkIndent, False).strip()
    token.map, token.children = [first, state.line], []
    state.push("paragraph_close", "p", -1)
    return True


def _backslash(state: StateInline, silent: bool) -> bool:
    """Of ``\\(`` and the like only the formula is special: elsewhere the backslash was meant."""
    at = state.pos
    if state.src[at] != "\\" or at + 1 >= state.posMax or state.src[at + 1] not in _KEPT_BACKSLASH:
        return False
    if not silent:
        state.pending += state.src[at : at + 2]
    state.pos += 2
    return True


def _name(state: StateInline, silent: bool) -> bool:
    before = state.src[state.pos - 1] if state.pos else " "
    found = _NAME.match(state.src, state.pos, state.posMax)
    if state.src[state.pos] != "_" or not found or before.isalnum() or before == "_":
        return False
    if not silent:
        state.pending += found[0]
    state.pos = found.end()
    return True


def _finish(state: StateCore) -> None:
    # After parsing, because "&#x202e;" is only now the character it spells.
    for token in state.tokens:
        _clean(token)


def _clean(token: Token) -> None:
    token.content = visible(token.content)
    token.info = visible(token.info)
    if token.type == "softbreak":
        token.type = "hardbreak"
    for child in token.children or ():
        _clean(child)


PARSER = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])
PARSER.core.ruler.push("finish", _finish)
PARSER.inline.ruler.before("escape", "formula", _formula)
PARSER.inline.ruler.before("escape", "backslash", _backslash)
PARSER.inline.ruler.before("emphasis", "name", _name)
PARSER.block.ruler.before(
    "fence", "formula_block", _formula_block, {"alt": ["paragraph", "reference", "blockquote", "list"]}
)


@dataclass(frozen=True, slots=True)
class Block:
    """A top-level block: the lines of the source it stands on, and what the parser made of it."""

    first: int
    tokens: tuple[Token, ...]


def blocks(source: str) -> list[Block]:
    """The top-level blocks of ``source``."""
    found: list[Block] = []
    tokens: list[Token] = []
    for token in PARSER.parse(source):
        tokens.append(token)
        if token.level == 0 and token.nesting <= 0:
            first = tokens[0].map
            found.append(Block(first[0] if first else 0, tuple(tokens)))
            tokens = []
    return found
