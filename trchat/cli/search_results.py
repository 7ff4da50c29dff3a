"""What a search of the conversations found: by conversation at a terminal, a line each behind a pipe."""

import os
import sys
from collections.abc import Sequence
from itertools import groupby

from trchat.cli.table import print_table
from trchat.storage.export import UNTITLED
from trchat.storage.records import SearchHit
from trchat.text.one_line import one_line
from trchat.text.units import date_and_time


def print_found(hits: Sequence[SearchHit]) -> None:
    """Print ``hits``, the found words in bold where that is possible."""
    if not sys.stdout.isatty():
        rows = [
            (
                str(hit.conversation_id),
                date_and_time(hit.created_at),
                hit.role or "",
                hit.snippet,
                hit.title or UNTITLED,
            )
            for hit in hits
        ]
        print_table(("ID", "DATE", "ROLE", "TEXT", "TITLE"), rows)
        return
    from rich.console import Console
    from rich.text import Text

    plain = bool(os.environ.get("NO_COLOR"))
    console = Console(highlight=False, soft_wrap=True)
    for conversation_id, group in groupby(hits, key=lambda hit: hit.conversation_id):
        found = list(group)
        when, title = date_and_time(found[0].created_at), one_line(found[0].title or UNTITLED)
        console.print(Text(f"{conversation_id:>5}  {when}  {title}"))
        for hit in found:
            if hit.message_id is not None:
                line = Text(f"       {hit.role}: ")
                for piece, marked in _pieces(hit):
                    line.append(one_line(piece), "bold" if marked and not plain else "")
                console.print(line)


def _pieces(hit: SearchHit) -> list[tuple[str, bool]]:
    """The snippet cut at its marks: a mark counts characters as they are, not as they are shown."""
    pieces, at = [], 0
    for start, end in hit.marks:
        pieces += [(hit.snippet[at:start], False), (hit.snippet[start:end], True)]
        at = end
    return [*pieces, (hit.snippet[at:], False)]
