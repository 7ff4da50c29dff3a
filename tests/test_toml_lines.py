"""Changing one key of a TOML file and nothing else in it."""

import pytest

from trchat.toml_lines import key_lines, set_value

TEXT = '''# my settings
theme = "nord"   # dark

[sampling]
temp = 0.7

[personas]
long = """
theme = "not a key"
[sampling]
"""
list = [
  1,  # one
  2,
]

[model."a.b"]
top_k = 5
'''


def test_lines_of_keys_and_tables():
    assert key_lines(TEXT) == {
        ("theme",): 2,
        ("sampling",): 4,
        ("sampling", "temp"): 5,
        ("personas",): 7,
        ("personas", "long"): 8,
        ("personas", "list"): 12,
        ("model",): 17,
        ("model", "a.b"): 17,
        ("model", "a.b", "top_k"): 18,
    }


def test_dotted_keys_inline_tables_and_arrays_of_tables():
    text = 'a.b = 1\nc = { d = 2 }\n[[e]]\nf = 3\n[g.h]\n"i j" = 4\n'
    lines = key_lines(text)
    assert lines[("a", "b")] == 1
    assert lines[("c", "d")] == 2
    assert lines[("e", "f")] == 4
    assert lines[("g", "h", "i j")] == 6


def test_replacing_a_value_keeps_comment_and_all_else():
    assert set_value(TEXT, ("theme",), "light") == TEXT.replace('"nord"   # dark', '"light"  # dark')
    assert set_value(TEXT, ("sampling", "temp"), 0.2) == TEXT.replace("temp = 0.7", "temp = 0.2")
    assert set_value(TEXT, ("model", "a.b", "top_k"), 9) == TEXT.replace("top_k = 5", "top_k = 9")


def test_a_hash_inside_a_text_is_no_comment():
    assert set_value('theme = "a # b"\n', ("theme",), "c") == 'theme = "c"\n'
    assert set_value('theme = "a # b" # c # d\n', ("theme",), "e") == 'theme = "e"  # c # d\n'


def test_a_text_of_many_lines_is_replaced_whole():
    changed = set_value(TEXT, ("personas", "long"), "short")
    assert 'long = "short"\nlist' in changed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 'theme = "x"\n'),
        ("# only a comment", '# only a comment\ntheme = "x"\n'),
        ("draft = 'off'", "draft = 'off'\ntheme = \"x\"\n"),
        ("draft = 'off'\n\n[sampling]\n", "draft = 'off'\ntheme = \"x\"\n\n[sampling]\n"),
        ("# top\n[sampling]\ntemp = 1\n", '# top\ntheme = "x"\n\n[sampling]\ntemp = 1\n'),
        ("draft = 'off'\r\n", "draft = 'off'\r\ntheme = \"x\"\r\n"),
    ],
)
def test_adding_a_key_of_no_table(text, expected):
    assert set_value(text, ("theme",), "x") == expected


def test_adding_to_a_table_and_adding_a_table():
    assert set_value("[a]\nb = 1\n\n[c]\n", ("a", "x"), 2) == "[a]\nb = 1\nx = 2\n\n[c]\n"
    assert set_value("[a]", ("a", "x"), True) == "[a]\nx = true\n"
    assert set_value("y = 1\n", ("model", "a.b", "x"), 2) == 'y = 1\n\n[model."a.b"]\nx = 2\n'


@pytest.mark.parametrize(
    "value", ['"', "\\", "C:\\models\\x.gguf", "a\nb\tc\r", "\x1b\x7f", "größe 😀", "'", "#"]
)
def test_any_text_survives(value):
    import tomllib

    assert tomllib.loads(set_value(TEXT, ("theme",), value))["theme"] == value


def test_what_cannot_be_changed_by_itself_is_refused():
    with pytest.raises(ValueError):
        set_value("a = { b = 1, c = 2 }\n", ("a", "b"), 3)
