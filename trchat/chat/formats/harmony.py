"""gpt-oss: messages to the channels ``analysis``, ``commentary`` and ``final`` (OpenAI's harmony format)."""

import re

from trchat.chat.formats.interface import Place
from trchat.chat.formats.messages import MessageFormat

_CHANNEL = "<|channel|>"
_RECIPIENT = re.compile(r"\bto=([^\s<]+)")


class Harmony(MessageFormat):
    """``<|start|>assistant<|channel|>analysis<|message|>...<|end|><|start|>assistant<|channel|>final...``."""

    start, role, message = "<|start|>", "assistant", "<|message|>"
    ends = ("<|end|>", "<|return|>", "<|call|>")
    thinking, speaking = f"{_CHANNEL}analysis", f"{_CHANNEL}final"
    spellings = (start, message, _CHANNEL, "<|constrain|>", *ends)
    told_by = (_CHANNEL, message, start)

    def kind(self, header: str) -> Place | None:
        """What goes to a tool is for nobody to read; a preamble in ``commentary`` is for the user."""
        # A model that changes its mind writes a second channel behind the first: that one counts.
        _before, _, channel = header.rpartition(_CHANNEL)
        if any(each not in ("assistant", "user") for each in _RECIPIENT.findall(header)):
            return None
        return Place.REASONING if channel.strip().startswith("analysis") else Place.ANSWER

    def begins_header(self, text: str) -> bool:
        """A channel, or the recipient before it."""
        return any(text.startswith(each) or each.startswith(text) for each in (_CHANNEL, "to="))

    def is_over(self, header: str, end: str) -> bool:
        """Only a final message is the last one; and a call, since there are no tools here."""
        return end != "<|end|>" or header.rpartition(_CHANNEL)[2].strip().startswith("final")
