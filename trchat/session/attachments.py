"""Text files that go along with a question."""

from dataclasses import dataclass

from trchat.errors import UsageError
from trchat.paths import user_path
from trchat.text.code_block import fenced_file
from trchat.text.decode import decode_text
from trchat.text.one_line import one_line
from trchat.text.units import byte_size

SIZE_LIMIT = 1_000_000
"""Bytes. More text than any context on a laptop holds."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file's name and text."""

    name: str
    text: str

    @property
    def block(self) -> str:
        """The file as it stands in the message: fenced, below its name."""
        return fenced_file(self.name, self.text)


def read_attachment(name: str) -> Attachment:
    """Read a text file. Raises UsageError for one that is missing, binary or too large."""
    path = user_path(name)
    shown = one_line(name)
    try:
        if path.is_dir():
            raise UsageError(f"{shown} is a folder")
        if path.exists() and not path.is_file():
            raise UsageError(f"{shown} is no ordinary file")
        size = path.stat().st_size
        if size > SIZE_LIMIT:
            raise UsageError(f"{shown} is too large: {byte_size(size)}, at most {byte_size(SIZE_LIMIT)}")
        raw = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"cannot read {shown}: {reason}") from None
    return Attachment(path.name, decode_text(raw, shown).strip("\n"))


def with_attachments(question: str, attachments: list[Attachment]) -> str:
    """A question below the files it is about."""
    return "\n\n".join([*(each.block for each in attachments), question])


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
