"""A conversation as a Markdown file."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from trchat.errors import TrchatError, UsageError
from trchat.storage.export import heading, to_markdown
from trchat.text.one_line import one_line

if TYPE_CHECKING:
    from trchat.storage.conversations import ConversationStore


def save_markdown(store: "ConversationStore", conversation_id: int, path: Path | None = None) -> Path:
    """Write the branch that is shown to ``path``, or to a new file here named after the title.

    Raises UsageError when ``path`` is there already, TrchatError when it cannot be written.
    """
    conversation = store.conversation(conversation_id)
    text = to_markdown(conversation, store.thread(conversation_id))
    target = path or _free_name(heading(conversation))
    try:
        with target.open("x", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{one_line(str(target))} already exists; choose another name") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise TrchatError(f"{one_line(str(target))} cannot be written: {reason}") from None
    return target.resolve()


def _free_name(title: str) -> Path:
    stem = re.sub(r"[^\w]+", "-", title.lower()).strip("-")[:50] or "conversation"
    names = (Path(f"{stem}{number}.md") for number in ("", *(f"-{n}" for n in range(2, 1000))))
    return next((name for name in names if not name.exists()), Path(f"{stem}.md"))
