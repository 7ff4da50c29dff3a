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
    kinds = {"Cc": [], "Cs": [], "Cf": []}
    for character in map(chr, range(sys.maxunicode + 1)):
        kinds.get(unicodedata.category(character), []).append(character)
    control, formatting = visible("".join(kinds["Cc"] + kinds["Cs"])), visible("".join(kinds["Cf"]))
    assert {c for c in control if unicodedata.category(c) in kinds} == {"\n", "\t"}
    assert formatting
    assert not {"LRO", "RLO", "LRE", "RLE", "PDF"} & set(map(unicodedata.bidirectional, formatting))
