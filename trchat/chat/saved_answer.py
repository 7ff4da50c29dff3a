"""One answer on its way to the disk, while it streams and when it has ended."""

from trchat.chat.reasoning import split_reasoning
from trchat.chat.records import Answer
from trchat.storage.autosave import Autosave
from trchat.storage.conversations import ConversationStore


class SavedAnswer:
    """The record of an answer that ``store`` has begun; its methods raise what the store raises.

    ``opening`` is what the answer said before it was continued, ``opening_tokens`` tokens long: the prompt
    ends in it, and the answer that is saved begins with it.
    """

    def __init__(
        self, store: ConversationStore, message_id: int, opening: str = "", opening_tokens: int = 0
    ) -> None:
        self._store = store
        self._message_id = message_id
        self._opening = opening
        self._opening_tokens = opening_tokens
        self._autosave = Autosave()

    def grow(self, answer: Answer) -> None:
        """Save what there is, once a second."""
        if self._autosave.due():
            reasoning, text = self._parts(answer)
            self._store.update_answer(self._message_id, text, reasoning)

    def end(self, answer: Answer, finish: str) -> None:
        """Save all of it; ``finish`` says how it ended (``error`` is nothing that the answer knows of)."""
        reasoning, text = self._parts(answer)
        self._store.finish_answer(
            self._message_id,
            text,
            finish,
            reasoning=reasoning,
            prompt_tokens=max(answer.prompt_tokens - self._opening_tokens, 0) or None,
            completion_tokens=self._opening_tokens + len(answer.token_ids) or None,
            tokens_per_s=answer.statistics.tokens_per_s or None,
        )

    def _parts(self, answer: Answer) -> tuple[str | None, str]:
        if self._opening:  # says itself where its reasoning begins
            return split_reasoning(self._opening + answer.text)
        return split_reasoning(answer.text, answer.reasoning_opener)
