"""Bytes from a file or a pipe to text, or a clear refusal."""

import codecs
from collections.abc import Callable

from trchat.errors import UsageError
from trchat.text.pdf import BEGINS_WITH, pdf_text

_BOMS = (  # UTF-32's little-endian mark begins with UTF-16's, so the longer ones are tried first
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# A terminal's output is text too: colours and hyperlinks are written with ESC, and end in BEL.
_TEXT_CONTROLS = frozenset(b"\a\b\t\n\v\f\r\x1b")


def document_text(raw: bytes, source: str, say: Callable[[str], object] = lambda line: None) -> str:
    """The text of a file that the model is given to read: a PDF's, or what ``decode_text`` makes of it."""
    return pdf_text(raw, source) if raw.startswith(BEGINS_WITH) else decode_text(raw, source, say)


def decode_text(raw: bytes, source: str, say: Callable[[str], object] = lambda line: None) -> str:
    """Decode UTF-8, anything with a byte order mark, or else Windows-1252, which is told to ``say``.

    Raises UsageError naming ``source`` when the bytes are no text: they hold NUL or other control bytes
    that text does not use, or they break off what their byte order mark promised.
    """
    for bom, encoding in _BOMS:
        if raw.startswith(bom):
            try:
                return raw.decode(encoding)
            except UnicodeDecodeError:
                raise UsageError(f"{source} begins as {encoding} text but is damaged") from None
    if any(byte < 0x20 and byte not in _TEXT_CONTROLS for byte in raw):
        raise UsageError(f"{source} is binary; only text can be read")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        say(f"{source} is not UTF-8; read as Windows-1252")
        return raw.decode("cp1252", "replace")
