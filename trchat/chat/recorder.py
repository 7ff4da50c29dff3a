"""Keeps a conversation on disk while it goes on, and gives it back as turns."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from trchat.chat.records import Answer
from trchat.chat.saved_answer import SavedAnswer
from trchat.chat.template import Turn
from trchat.errors import TrchatError
from trchat.storage.conversations import ConversationStore
from trchat.storage.records import Message


def turns_of(messages: Sequence[Message]) -> list[Turn]:
    """The turns of a branch. Answers that were interrupted before their first word are left out.

    Two questions in a row, which that leaves, become one: many templates insist on question and answer.
    """
    turns: list[Turn] = []
    for message in messages:
        if message.role == "assistant" and not message.text.strip():
            continue
        if turns and turns[-1].role == message.role:
            turns[-1] = Turn(message.role, f"{turns[-1].content}\n\n{message.text}")
        else:
            turns.append(Turn(message.role, message.text))
    return turns


def with_question(turns: Sequence[Turn], question: str, system: str | None) -> list[Turn]:
    """``turns`` with a new question; a ``system`` prompt goes before everything, in place of an older one."""
    kept = [turn for turn in turns if not (system and turn.role == "system")]
    asked = question
    if kept and kept[-1].role == "user":
        asked = f"{kept.pop().content}\n\n{question}"
    return [*([Turn("system", system)] if system else []), *kept, Turn("user", asked)]


class Recorder:
    """Saves one question and its answer: ``grow`` after each piece of text, ``end`` however it ended.

    Nothing is written before the first of these. Whatever is not ended counts as interrupted. An answer is
    worth more than its record: what cannot be saved is told once to ``warn``, and nothing is raised.
    """

    def __init__(
        self,
        store: ConversationStore,
        question: str,
        *,
        system: str | None,
        model: str,
        settings: Mapping[str, object],
        warn: Callable[[str], None],
        conversation: int | None = None,
        title: str = "",
    ) -> None:
        """``conversation`` is the one to go on with (None = a new one); ``system`` is kept in a new one.

        ``title`` is a new one's; without it, the question's beginning is.
        """
        self._store = store
        self._question = question
        self._system = system
        self._title = title
        self._model = model
        self._settings = settings
        self._warn = warn
        self._failed = False
        self.conversation = conversation
        self._saved: SavedAnswer | None = None

    def begin(self) -> None:
        """Write the question, and an empty answer below it. More calls do nothing."""
        if self._saved is None and not self._failed:
            with self._forgiving():
                self._write_question()

    def grow(self, answer: Answer) -> None:
        """Save what there is, once a second."""
        self.begin()
        if self._saved is not None:
            with self._forgiving():
                self._saved.grow(answer)

    def end(self, answer: Answer, reason: str | None = None) -> None:
        """Save all of it; ``reason`` is for an end that the answer itself knows nothing of (``error``)."""
        self.begin()
        if self._saved is not None:
            with self._forgiving():
                self._saved.end(answer, reason or answer.finish)

    def _write_question(self) -> None:
        if self.conversation is None:
            self.conversation = self._store.create_conversation(self._title).id
            if self._system:
                self._store.add_message(self.conversation, "system", self._system)
        question = self._store.add_message(self.conversation, "user", self._question)
        answer = self._store.begin_answer(question.id, self._model, self._settings)
        self._saved = SavedAnswer(self._store, answer.id)

    @contextmanager
    def _forgiving(self) -> Iterator[None]:
        try:
            yield
        except TrchatError as error:
            if not self._failed:
                self._failed = True
                self._warn(f"this answer is not saved: {error}")
