"""Splits an answer into its reasoning and what it says while it is still being written."""

from trchat.chat.reasoning import OPENERS


class ReasoningStream:
    """Give it the answer piece by piece; put together, its answers are those of ``split_reasoning``."""

    def __init__(self, opener: str | None = None) -> None:
        """``opener`` is the tag that the prompt ended with: the answer then begins inside reasoning."""
        self._closer = OPENERS[opener] if opener else None
        self._waiting = ""
        self._undecided = opener is None
        self._begun = False  # whether anything but blanks came, of the part we are in

    def push(self, text: str) -> tuple[str, str]:
        """What ``text`` adds to (reasoning, answer). A tag in the making is held back."""
        self._waiting += text
        if self._undecided:
            body = self._waiting.lstrip()
            if any(tag.startswith(body) for tag in OPENERS if tag != body):
                return "", ""
            self._undecided = False
            opener = next((tag for tag in OPENERS if body.startswith(tag)), None)
            if opener is None:
                self._begun = True
                return "", self._take(len(self._waiting))
            self._closer = OPENERS[opener]
            self._waiting = body[len(opener) :]
        reasoning = ""
        if self._closer is not None:
            end = self._waiting.find(self._closer)
            if end < 0:
                return self._visible(self._take(len(self._waiting) - self._held(self._closer)), None), ""
            reasoning = self._visible(self._take(end), None)
            self._take(len(self._closer))
            self._closer = None
            self._begun = False
        return reasoning, self._visible(self._take(len(self._waiting)), "\n")

    def finish(self) -> tuple[str, str]:
        """What was still held back when the answer ended."""
        rest = self._take(len(self._waiting))
        return (rest, "") if self._closer is not None and not self._undecided else ("", rest)

    def _take(self, length: int) -> str:
        taken, self._waiting = self._waiting[:length], self._waiting[length:]
        return taken

    def _visible(self, text: str, blanks: str | None) -> str:
        """``text`` without the blanks that a part begins with."""
        if not self._begun:
            text = text.lstrip(blanks)
            self._begun = bool(text)
        return text

    def _held(self, closer: str) -> int:
        """How much of the end may be the beginning of ``closer``."""
        lengths = range(min(len(closer) - 1, len(self._waiting)), 0, -1)
        return next((length for length in lengths if self._waiting.endswith(closer[:length])), 0)
