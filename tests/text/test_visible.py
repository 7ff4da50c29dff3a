"""No control character reaches a terminal."""

import sys
import unicodedata

import pytest

from trchat.text.visible import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("a\0b\x07\x08\r\x7f", "a␀b␇␈␍␡"),
        ("\x9b2J\x85", "\\u009b2J\\u0085"),
        ("\u202eevil\u2066\u2069", "\\u202eevil\\u2066\\u2069"),
        ("\udc80", "\\udc80"),
        ("lines\n\tand tabs", "lines\n\tand tabs"),
        ("[bold]日本 é 🎉 👩‍💻 \\u009b", "[bold]日本 é 🎉 👩‍💻 \\u009b"),
    ],
)
def test_what_acts_on_a_terminal_is_shown(text, shown):
    assert visible(text) == shown


def test_no_control_character_is_forgotten():
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    left = {c for c in visible(every) if unicodedata.category(c) in ("Cc", "Cs")}
    assert left == {"\n", "\t"}
    assert not [
        c for c in visible(every) if unicodedata.bidirectional(c) in ("LRO", "RLO", "LRE", "RLE", "PDF")
    ]
