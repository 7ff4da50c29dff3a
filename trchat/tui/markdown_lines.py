"""Blocks of Markdown to lines of cells.

Textual's own Markdown widget makes a widget of every block; while an answer streams that costs 20 ms an
update, and with it a seventh of the decoding speed on two cores. Drawn as lines it costs a tenth of that.
"""

from collections.abc import Mapping
from io import StringIO

from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, HorizontalRule, Markdown
from rich.rule import Rule
from rich.segment import Segment
from rich.style import Style
from rich.syntax import Syntax
from rich.text import Text
from rich.theme import Theme
from textual.strip import Strip

from trchat.tui.markdown_parser import Block

DARK_CODE, LIGHT_CODE = "monokai", "xcode"
"""Of pygments' styles those in which every kind of word, comments too, stands out from the background."""
CODE_NUMBER = "code_number"
"""Key in the style of a code block's first line: a click on it copies the block with this number."""
HANG = 2
"""Columns by which what does not fit on a line of code stands further in on the next."""


class Painter:
    """Draws blocks in the colours of one theme at one width."""

    def __init__(self, width: int, variables: Mapping[str, str], dark: bool) -> None:
        """``variables``: Textual's theme variables."""
        self.width = max(width, 8)
        self._code_theme = DARK_CODE if dark else LIGHT_CODE
        self._code_background = variables.get("surface", "default")
        self._label = _coloured(variables, "text-muted")
        self._console = Console(
            file=StringIO(),
            width=self.width,
            color_system="truecolor",
            force_terminal=True,
            legacy_windows=False,
            theme=Theme(_styles(variables)),
        )

    def paint(self, block: Block, number: int = 1, continued: bool = False) -> list[Strip]:
        """The block's lines, without an empty one around them.

        ``number`` is what its first code block is called, from 1; ``continued``: it is the rest of one.
        """
        document = _Document(
            block.tokens, self._code_theme, self._code_background, self._label, 0 if continued else number
        )
        lines = self._console.render_lines(document, self._console.options, pad=False)
        strips = [Strip(line) for line in lines]
        while strips and not strips[-1].text.strip() and strips[-1].cell_length < self.width:
            strips.pop()
        while strips and not strips[0].text.strip() and strips[0].cell_length < self.width:
            del strips[0]
        return strips


class _Document(Markdown):
    """Rich's renderer on tokens that are there already. Links are text: nothing acts on the terminal."""

    def __init__(
        self, tokens: tuple[Token, ...], code_theme: str, code_background: str, label: Style, number: int
    ) -> None:
        # Not Rich's own __init__: it would set up a parser, which costs more than the drawing.
        self.markup = ""
        self.parsed = list(tokens)
        self.code_theme = self.inline_code_theme = code_theme
        self.justify = None
        self.style = "none"
        self.hyperlinks = False
        self.inline_code_lexer = None
        self.code_background = code_background
        self.label = label
        self.number = number

    def next_number(self) -> int:
        """What the next code block is called; 0 for one whose beginning is drawn elsewhere."""
        number, self.number = self.number, self.number + bool(self.number)
        return number


class _Heading(Heading):
    """The larger, the more it stands out: above a line, bold, bold in the text's colour, italic."""

    LEVEL_ALIGN = dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), "left")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.text
        if self.tag == "h1":
            yield Rule(style=console.get_style("markdown.h1"), characters="━")


class _Rule(HorizontalRule):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Rule(style=console.get_style("markdown.hr"))


class _Code(CodeBlock):
    """Code with its language, and a line that is too long hung below its own beginning."""

    background = "default"
    label = Style()
    language = ""
    number = 0

    @classmethod
    def create(cls, markdown: Markdown, token: Token) -> "_Code":
        code = super().create(markdown, token)
        assert isinstance(code, _Code) and isinstance(markdown, _Document)
        code.background, code.label = markdown.code_background, markdown.label
        if token.type == "fence":
            code.language = token.info.split()[0] if token.info.split() else ""
            code.number = markdown.next_number()
        return code

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        background = Style(bgcolor=self.background)
        if self.number:
            name = self.language or "text"
            copy = f"copy: /copy {self.number}"
            gap = width - len(name) - len(copy) - 2
            line = f" {name}{' ' * gap}{copy} " if gap > 0 else f" {name}".ljust(width)[:width]
            meta = Style.from_meta({CODE_NUMBER: self.number})
            yield Segment(line, background + self.label + meta)
            yield Segment.line()
        syntax = Syntax("", self.lexer_name, theme=self.theme, background_color=self.background)
        highlighted = syntax.highlight(str(self.text).rstrip().expandtabs(4))
        highlighted.rstrip()
        for line_of_code in highlighted.split("\n", allow_blank=True):
            for part in hung(line_of_code, max(width - 2, 4)):
                yield Segment(" ", background)
                used = 1
                for segment in part.render(console, ""):
                    yield Segment(segment.text, background + (segment.style or Style()))
                    used += segment.cell_length
                yield Segment(" " * max(width - used, 0), background)
                yield Segment.line()


def hung(line: Text, width: int) -> list[Text]:
    """A line of code in parts of at most ``width`` cells; all but the first stand further in."""
    if line.cell_len <= width:
        return [line]
    indent = min(len(line.plain) - len(line.plain.lstrip()) + HANG, width // 2)
    parts: list[Text] = []
    room = width
    while line.cell_len > room:
        end = _fitting(line.plain, room)
        head, line = line.divide([end])
        parts.append(Text(" " * indent) + head if parts else head)
        room = width - indent
    return [*parts, Text(" " * indent) + line]


def _fitting(text: str, room: int) -> int:
    """How many characters go into ``room`` cells: to the last space in its second half, if there is one."""
    end = 0
    while end < len(text) and Text(text[: end + 1]).cell_len <= room:
        end += 1
    space = text.rfind(" ", max(end // 2, 1), end)
    return space + 1 if space > 0 and text[:space].strip() else max(end, 1)


_Document.elements = {
    **Markdown.elements,
    "heading_open": _Heading,
    "hr": _Rule,
    "fence": _Code,
    "code_block": _Code,
}


def _coloured(variables: Mapping[str, str], name: str, bold: bool = False) -> Style:
    value = variables.get(name, "")
    return Style(color=value[:7] if value.startswith("#") else None, bold=bold)


def _styles(variables: Mapping[str, str]) -> dict[str, Style]:
    # Nothing is underlined: that is how the draft lens marks what was guessed.
    heading = _coloured(variables, "text-primary", bold=True)
    return {
        "markdown.h1": heading,
        "markdown.h2": heading,
        "markdown.h3": Style(bold=True),
        "markdown.h4": Style(bold=True, italic=True),
        "markdown.h5": Style(italic=True),
        "markdown.h6": Style(italic=True),
        "markdown.code": _coloured(variables, "text-secondary"),
        "markdown.block_quote": Style(italic=True),
        "markdown.item.bullet": _coloured(variables, "text-primary", bold=True),
        "markdown.item.number": _coloured(variables, "text-primary"),
        "markdown.hr": Style(dim=True),
        "markdown.link": _coloured(variables, "text-primary"),
        "markdown.link_url": _coloured(variables, "text-primary"),
        "markdown.table.border": Style(dim=True),
        "markdown.table.header": _coloured(variables, "text-primary", bold=True),
    }
