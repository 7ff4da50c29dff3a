"""Text files that go along with a question."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trchat.errors import UsageError
from trchat.paths import user_path
from trchat.text.code_block import fenced_file, split_files
from trchat.text.decode import document_text
from trchat.text.one_line import one_line
from trchat.text.units import byte_size

SIZE_LIMIT = 1_000_000
"""Bytes of text, more than any context on a laptop holds."""
PDF_LIMIT = 50_000_000
"""Bytes of a PDF, which is mostly pictures and fonts."""
BYTES_PER_TOKEN = 4
"""Roughly, in English and in code, with today's models' vocabularies; other scripts take more tokens."""
_MENTION = re.compile(r"(?<!\S)@(\S+)")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file's name and text."""

    name: str
    text: str

    @property
    def block(self) -> str:
        """The file as it stands in the message: fenced, below its name."""
        return fenced_file(self.name, self.text)

    @property
    def about(self) -> str:
        """Its name, and how large it is."""
        size = len(self.text.encode("utf-8", "replace"))
        tokens = max(size // BYTES_PER_TOKEN, 1)
        return f"{one_line(self.name)} ({byte_size(size)}, about {tokens:,} token{'s' * (tokens > 1)})"


def read_attachment(name: str, say: Callable[[str], object] = lambda line: None) -> Attachment:
    """Read a text or PDF file; ``say`` is told of an encoding that was guessed.

    Raises UsageError for one that is missing, binary or too large.
    """
    path = user_path(name)
    shown = one_line(name)
    try:
        if path.is_dir():
            raise UsageError(f"{shown} is a folder")
        if path.exists() and not path.is_file():
            raise UsageError(f"{shown} is not a regular file")
        size = path.stat().st_size
        limit = PDF_LIMIT if path.suffix.lower() == ".pdf" else SIZE_LIMIT
        if size > limit:
            raise UsageError(f"{shown} is too large: {byte_size(size)}; the limit is {byte_size(limit)}")
        raw = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"cannot read {shown}: {reason}") from None
    text = document_text(raw, shown, say).strip("\n")
    if len(text) > SIZE_LIMIT:
        raise UsageError(
            f"{shown} has too much text: {byte_size(len(text))}; the limit is {byte_size(SIZE_LIMIT)}"
        )
    return Attachment(path.name, text)


def with_attachments(question: str, attachments: Sequence[Attachment]) -> str:
    """A question below the files it is about."""
    return "\n\n".join([*(each.block for each in attachments), question])


def attachments_of(text: str) -> tuple[list[Attachment], str]:
    """The files that a question was sent with, and the question itself."""
    files, question = split_files(text)
    return [Attachment(*file) for file in files], question


def mentioned(question: str, say: Callable[[str], object] = lambda line: None) -> list[Attachment]:
    """The files that a question names as ``@path``; an ``@`` before anything else is only a letter.

    Raises UsageError for a file that cannot be read as text.
    """
    names = dict.fromkeys(match[1].rstrip(",;:!?") for match in _MENTION.finditer(question))
    found = [name if _is_file(name) else name.rstrip(".)") for name in names]
    return [read_attachment(name, say) for name in found if _is_file(name)]


def _is_file(name: str) -> bool:
    try:
        return user_path(name).is_file()
    except (OSError, ValueError):  # too long for a name
        return False


def complete_path(typed: str) -> list[str]:
    """How a path that was just begun may go on; folders end in a slash."""
    path = user_path(typed)
    folder, begun = (path, "") if typed.endswith(("/", "\\")) or not typed else (path.parent, path.name)
    kept = typed[: len(typed) - len(begun)] if begun else typed
    try:
        found = [
            kept + entry.name + ("/" if entry.is_dir() else "")
            for entry in folder.iterdir()
            if entry.name.startswith(begun) and (begun.startswith(".") or not entry.name.startswith("."))
        ]
    except OSError:
        return []
    return sorted(found, key=str.lower)
