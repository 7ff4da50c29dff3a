"""Markdown of strangers: it can be read, and do nothing else."""

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from textual.widgets import Markdown

from trchat.text.visible import visible


class SafeMarkdown(Markdown):
    """Markdown in which HTML is text, control characters are symbols, and only web links can be opened."""

    def __init__(self, markdown: str = "") -> None:
        super().__init__(markdown, parser_factory=make_parser, open_links=False)

    def on_markdown_link_clicked(self, event: Markdown.LinkClicked) -> None:
        """Open a web page; anything else (files, other programs' links) is only shown."""
        event.stop()
        if event.href.startswith(("https://", "http://")):
            self.app.open_url(event.href)
        else:
            self.notify(f"not opened: {visible(event.href)}", markup=False)


def make_parser() -> MarkdownIt:
    """A parser whose output holds no control characters, whatever spelling they came in."""
    parser = MarkdownIt("gfm-like", {"html": False})
    parser.core.ruler.push("visible", _make_visible)
    return parser


def _make_visible(state: StateCore) -> None:
    # After parsing, because "&#x202e;" is only now the character it spells.
    for token in state.tokens:
        _clean(token)


def _clean(token: Token) -> None:
    token.content = visible(token.content)
    token.info = visible(token.info)
    for child in token.children or ():
        _clean(child)
