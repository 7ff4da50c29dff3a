"""The text of a PDF file."""

import importlib.util
import io

from trchat.errors import UsageError

BEGINS_WITH = b"%PDF-"


def pdf_text(raw: bytes, source: str) -> str:
    """All pages' text, an empty line between them.

    Raises UsageError naming ``source`` where there is none (scanned pages, a password, damage), or where the
    extra that reads it is missing.
    """
    if importlib.util.find_spec("pypdf") is None:
        raise UsageError(f"{source} is a PDF: reading it needs the extra 'pdf': pip install 'trchat[pdf]'")
    import logging

    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it works around would be drawn over the chat
    try:
        pages = [page.extract_text().strip() for page in PdfReader(io.BytesIO(raw)).pages]
    except Exception as error:  # the library raises whatever a damaged file leads to
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UsageError(f"{source} cannot be read as a PDF: {reason[0]}") from None
    text = "\n\n".join(page for page in pages if page)
    if not text:
        raise UsageError(f"{source} is a PDF without text; its pages may be scanned images")
    return text
