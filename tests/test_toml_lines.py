"""On which line of a TOML file each key stands."""

from trchat.toml_lines import key_lines

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
