"""Make control characters visible, so that no text can act on a terminal."""

_KEPT = "\n\t"
_BIDI = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_SURROGATES = range(0xD800, 0xE000)


def _symbols() -> dict[int, str]:
    table = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in _KEPT}
    table[0x7F] = "␡"
    # C1 and bidi controls have no symbols of their own; lone surrogates cannot even be written out.
    for code in (*range(0x80, 0xA0), *_BIDI, *_SURROGATES):
        table[code] = f"\\u{code:04x}"
    return table


_TABLE = _symbols()


def visible(text: str) -> str:
    """Return ``text`` with everything that could act on a terminal made visible.

    C0 controls and DEL become their symbols (ESC is ``␛``), C1 controls, bidirectional overrides and
    lone surrogates become ``\\u009b``-like escapes. Newline and tab stay. Works on any piece of a stream.
    """
    return text.translate(_TABLE)
