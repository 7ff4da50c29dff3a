"""Bytes from a file or a pipe to text, or a clear refusal."""

import codecs

from trchat.errors import UsageError

_BOMS = (  # UTF-32's little-endian mark begins with UTF-16's, so the longer ones are tried first
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_TEXT_CONTROLS = frozenset(b"\t\n\r\f\b\x1b")


def decode_text(raw: bytes, source: str) -> str:
    """Decode UTF-8, anything with a byte order mark, or else Windows-1252.

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
        return raw.decode("cp1252", "replace")
