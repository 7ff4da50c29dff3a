"""``--save``: requests and their answers in the history, as the chat keeps them."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from trchat.catalog.listing import Model
from trchat.chat.records import Answer
from trchat.chat.saved_answer import SavedAnswer
from trchat.chat.settings import kept_settings
from trchat.chat.template import Turn, Verbatim
from trchat.config import Settings
from trchat.errors import TrchatError
from trchat.llama.sampling import Sampling
from trchat.serve.requests import AnswerRequest
from trchat.storage.conversations import ConversationStore
from trchat.storage.records import Message

_KNOWN = 1000
"""Conversations that are recognised when they go on; who has more of them open gets a second copy of one."""


class Saving:
    """Finds the conversation that a request goes on with: a client sends all of it, each time."""

    def __init__(self, store: ConversationStore) -> None:
        self._store = store
        self._known: OrderedDict[bytes, int] = OrderedDict()

    def begin(
        self,
        asked: AnswerRequest,
        model: Model,
        settings: Settings,
        sampling: Sampling,
        warn: Callable[[str], object],
    ) -> "Record | None":
        """Write down what is asked; None where it cannot be, which ``warn`` is told."""
        try:
            return self._begin(asked, model, settings, sampling, warn)
        except TrchatError as error:
            warn(f"this answer is not saved: {error}")
            return None

    def learn(self, turns: Sequence[Turn], answer: Answer, message: Message) -> None:
        """Recognise what goes on behind this answer."""
        said = Turn("assistant", answer.text, calls=tuple(answer.calls))
        self._known[_key([*turns, said])] = message.id
        while len(self._known) > _KNOWN:
            self._known.popitem(last=False)

    def _begin(
        self,
        asked: AnswerRequest,
        model: Model,
        settings: Settings,
        sampling: Sampling,
        warn: Callable[[str], object],
    ) -> "Record":
        turns = _turns(asked)
        store = self._store
        conversation, parent = self._going_on(turns[:-1])
        if conversation is None:
            conversation = store.create_conversation().id
            for turn in turns[:-1]:
                parent = store.add_message(conversation, *_kept(turn), parent).id
        question = store.add_message(conversation, *_kept(turns[-1]), parent)
        message = store.begin_answer(question.id, model.name, kept_settings(settings, model.path, sampling))
        return Record(self, store, turns, message, asked.opening, warn)

    def _going_on(self, turns: Sequence[Turn]) -> tuple[int | None, int | None]:
        """The conversation that ends with ``turns``, and its last message."""
        known = self._known.get(_key(turns)) if turns else None
        if known is None:
            return None, None
        try:
            conversation = self._store.kept(self._store.message(known).conversation_id).id
        except TrchatError:  # somebody has deleted it
            return None, None
        return conversation, known


class Record:
    """One answer on its way into the history."""

    def __init__(
        self,
        saving: Saving,
        store: ConversationStore,
        turns: Sequence[Turn],
        message: Message,
        opening: Turn | None,
        warn: Callable[[str], object],
    ) -> None:
        self._saving = saving
        self._turns = turns
        self._message = message
        self.conversation = message.conversation_id
        self._saved = SavedAnswer(store, message.id, opening)
        self._warn = warn

    def grow(self, answer: Answer) -> None:
        """Save what there is, once a second."""
        with suppress(TrchatError):  # at the end it is told
            self._saved.grow(answer)

    def end(self, answer: Answer) -> None:
        """Save all of it; ``warn`` is told where that cannot be."""
        try:
            told = _kept(Turn("assistant", answer.text, calls=tuple(answer.calls)))[1]
            self._saved.end(replace(answer, text=told), answer.finish)
        except TrchatError as error:
            self._warn(f"this answer is not saved: {error}")
            return
        self._saving.learn(self._turns, answer, self._message)


def _turns(asked: AnswerRequest) -> list[Turn]:
    if isinstance(asked.turns, Verbatim):
        given = asked.turns.text
        return [Turn("user", given if isinstance(given, str) else " ".join(map(str, given)))]
    return list(asked.turns)


def _kept(turn: Turn) -> tuple[str, str]:
    """A turn's role and text as the history has them, which knows no calls of tools but as words."""
    if turn.role == "tool":
        return "user", f"{turn.name or 'tool'}: {turn.content}"
    calls = [f"{each.name}({each.arguments})" for each in turn.calls]
    return turn.role, "\n".join(part for part in (turn.content, *calls) if part)


def _key(turns: Sequence[Turn]) -> bytes:
    said = hashlib.sha256()
    for turn in turns:
        for part in _kept(turn):
            raw = part.encode("utf-8", "replace")
            said.update(len(raw).to_bytes(8, "little") + raw)
    return said.digest()
