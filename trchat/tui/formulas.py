"""LaTeX formulas as Unicode, as far as a line of characters can show them.

``pylatexenc`` knows the symbols and accents. What stands above or below something else is put into the line
here: fractions, roots, sub- and superscripts.
"""

import re
from functools import cache

_SUPER = dict(
    zip(
        "0123456789+-−=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVW′",
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂ′",
        strict=True,
    )
)
_SUB = dict(zip("0123456789+-−=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))
_WORDS = {"text", "textrm", "textbf", "textit", "mbox", "operatorname"}
_PLAIN = {"mathrm", "mathbf", "mathit", "mathsf", "mathtt", "boldsymbol", "boxed", "displaystyle"}
_SIZES = {"left", "right", "big", "Big", "bigg", "Bigg", "bigl", "bigr", "Bigl", "Bigr", "middle"}
_SPACES = {",": " ", ";": " ", ":": " ", ">": " ", " ": " ", "!": "", "quad": "  ", "qquad": "    "}
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{(?:aligned|align|equation|gather|gathered|split)\*?\}")
_TOKEN = re.compile(r"\\(?:[A-Za-z]+|.)|[\^_{}]|[^\\^_{}]+", re.DOTALL)
_DEEPEST = 20


class _UnknownError(Exception):
    """Something that cannot be shown in a line."""


def unicode_formula(source: str) -> str | None:
    """A formula, without its delimiters, as text; None where that cannot be done without harm."""
    text = _ENVIRONMENT.sub("", source)
    if text != source:
        text = text.replace("&", "")
    if "&" in text.replace("\\&", ""):
        return None
    try:
        lines = [_line(line) for line in re.split(r"\\\\(?:\[[^\]]*\])?", text)]
    except _UnknownError:
        return None
    return "\n".join(line for line in lines if line) or None


def _line(source: str) -> str:
    tokens = _TOKEN.findall(source)
    shown, rest = _until(tokens, 0, end=False)
    if rest != len(tokens):
        raise _UnknownError
    return " ".join(shown.split())


def _until(tokens: list[str], at: int, *, end: bool, depth: int = 0) -> tuple[str, int]:
    """What the tokens from ``at`` on say, where ``end`` up to the closing brace; and where that is."""
    if depth > _DEEPEST:
        raise _UnknownError
    parts: list[str] = []
    while at < len(tokens):
        token = tokens[at]
        at += 1
        if token == "}":
            if not end:
                raise _UnknownError
            return "".join(parts), at
        if token == "{":
            shown, at = _until(tokens, at, end=True, depth=depth + 1)
        elif token in "^_":
            shown, at = _group(tokens, at, depth)
            shown = _script(token, shown)
        elif token.startswith("\\"):
            shown, at = _macro(token[1:], tokens, at, depth)
        else:
            shown = token
        parts.append(shown)
    if end:
        raise _UnknownError
    return "".join(parts), at


def _group(tokens: list[str], at: int, depth: int) -> tuple[str, int]:
    """The argument that begins at ``at``: in braces, one macro, or the first character of a text."""
    while at < len(tokens) and tokens[at].isspace():
        at += 1
    if at >= len(tokens) or tokens[at] in ("}", "^", "_"):
        raise _UnknownError
    token = tokens[at]
    if token == "{":
        return _until(tokens, at + 1, end=True, depth=depth + 1)
    if token.startswith("\\"):
        return _macro(token[1:], tokens, at + 1, depth + 1)
    token = token.lstrip()
    tokens[at] = token[1:]
    return token[0], at if tokens[at] else at + 1


def _macro(name: str, tokens: list[str], at: int, depth: int) -> tuple[str, int]:
    if name in _SPACES:
        return _SPACES[name], at
    if name in "{}%$_&#|":
        return "‖" if name == "|" else name, at
    if name in _SIZES:
        if at < len(tokens) and tokens[at].lstrip().startswith("."):  # no bracket on this side
            tokens[at] = tokens[at].lstrip()[1:]
        return "", at
    if name in ("frac", "dfrac", "tfrac", "cfrac"):
        above, at = _group(tokens, at, depth)
        below, at = _group(tokens, at, depth)
        return f"{_bracketed(above)}/{_bracketed(below)}", at
    if name == "sqrt":
        root = ""
        if at < len(tokens) and (index := re.match(r"\s*\[(\w+)\]", tokens[at])):
            tokens[at] = tokens[at][index.end() :]
            root = "∛" if index[1] == "3" else _script("^", index[1]) + "√"
            at += not tokens[at]
        radicand, at = _group(tokens, at, depth)
        return (root or "√") + _bracketed(radicand), at
    if name in _WORDS or name in _PLAIN:
        return _group(tokens, at, depth) if name != "displaystyle" else ("", at)
    return _known(name, tokens, at, depth)


def _known(name: str, tokens: list[str], at: int, depth: int) -> tuple[str, int]:
    """What the library makes of a macro that it knows, with its one argument where it takes one."""
    takes = _arguments(name)
    if takes == 0:
        return _converted(f"\\{name}"), at
    if takes != 1:
        raise _UnknownError
    argument, at = _group(tokens, at, depth)
    return _converted(f"\\{name}{{{argument}}}"), at


def _script(kind: str, shown: str) -> str:
    """A super- or subscript, where every character has one; else in brackets."""
    table = _SUPER if kind == "^" else _SUB
    script = shown.replace(" ", "")
    if script and all(character in table for character in script):
        return "".join(table[character] for character in script)
    return kind + (shown if len(shown) == 1 else f"({shown})")


def _bracketed(shown: str) -> str:
    shown = shown.strip()
    return shown if len(shown) == 1 or shown.isdigit() else f"({shown})"


@cache
def _arguments(name: str) -> int:
    """How many arguments the library takes a macro to have. Raises _UnknownError for one it does not know."""
    from pylatexenc.latex2text import get_default_latex_context_db as texts
    from pylatexenc.latexwalker import get_default_latex_context_db as macros

    spec = macros().get_macro_spec(name)
    if not texts().get_macro_spec(name):
        raise _UnknownError
    return str(spec.args_parser.argspec).count("{") if spec else 0


@cache
def _converted(source: str) -> str:
    from pylatexenc.latex2text import LatexNodes2Text

    try:
        shown = str(LatexNodes2Text(math_mode="text", strict_latex_spaces=True).latex_to_text(source))
    except Exception:  # it gives up in ways of its own
        raise _UnknownError from None
    if not shown.strip() or "\\" in shown:
        raise _UnknownError
    return shown
