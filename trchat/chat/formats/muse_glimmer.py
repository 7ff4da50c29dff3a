"""Muse Glimmer: messages to oneself, to the user and to tools (the ATEM format)."""

import re

from trchat.chat.formats.interface import Place
from trchat.chat.formats.messages import MessageFormat

_RECIPIENT = re.compile(r"\bto=(\S+)")


class MuseGlimmer(MessageFormat):
    """``<|start|>assistant to=self<|message|>...<|eom|><|start|>assistant to=user<|message|>...<|eot|>``."""

    start, role, message = "<|start|>", "assistant", "<|message|>"
    ends = ("<|eom|>", "<|eot|>")
    thinking, speaking = " to=self", " to=user"
    spellings = (start, message, *ends)
    told_by = (start, message, *ends)

    def kind(self, header: str) -> Place | None:
        """By the recipient; without one it is the user."""
        found = _RECIPIENT.search(header)
        recipient = found[1] if found else "user"
        return {"self": Place.REASONING, "user": Place.ANSWER}.get(recipient)

    def begins_header(self, text: str) -> bool:
        """The recipient."""
        return text.startswith("to=") or "to=".startswith(text)

    def is_over(self, header: str, end: str) -> bool:
        """Each end says whether another message follows."""
        return end == "<|eot|>"
