"""Control characters made visible, so that text from a stranger cannot drive a terminal."""

import unicodedata

_C0_PICTURES = 0x2400
_DELETE = 0x7F
_DELETE_PICTURE = "\u2421"
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def visible(text: str) -> str:
    """Return ``text`` with every control, format and unassigned character replaced by something seen.

    ASCII controls become their control pictures (escape is ``␛``), the rest ``\\u{...}``. Newlines and
    tabs count as controls too: the result always is one line.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(_C0_PICTURES + code)
    if code == _DELETE:
        return _DELETE_PICTURE
    if unicodedata.category(character) in _HIDDEN:
        return f"\\u{{{code:x}}}"
    return character
