"""Foreign text inside a message or a table: harmless to a terminal, and without line breaks."""

from trchat.text.visible import visible

_BREAKS = str.maketrans({"\n": "␊", "\t": "␉", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def one_line(text: str) -> str:
    """Return ``text`` with control characters made visible, line breaks and tabs as well."""
    return visible(text).translate(_BREAKS)
