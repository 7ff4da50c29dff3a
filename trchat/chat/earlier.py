"""Earlier conversations as a source of guesses: what was answered once may be answered again."""

from collections.abc import Iterator
from contextlib import suppress
from time import perf_counter

from trchat.llama.model import Model
from trchat.recycling.auto import AutoDrafter
from trchat.recycling.drafter import Drafter
from trchat.storage.conversations import ConversationStore, existing_history
from trchat.storage.database import StorageError

LETTERS = 64_000
"""Of the latest answers, which are some fifty: a quarter of what the drafter has room for. Splitting them
into tokens takes a tenth of a second in all."""
AT_ONCE_S = 0.02
"""What an answer may be kept waiting for them; pauses bring the rest."""


class EarlierAnswers:
    """Tells a drafter what was answered in earlier conversations, as long as those are kept.

    Nothing is kept besides the conversations themselves: whoever deletes one deletes this too.
    """

    def __init__(self, model: Model, *, read: bool) -> None:
        """With ``read`` the user's conversations are read; else only those of this process count."""
        self._model = model
        self._read = read
        self._store: ConversationStore | None = None
        self._drafter: AutoDrafter | None = None
        self._owners: set[int] = set()
        """The conversations whose texts the drafter has."""
        self._waiting: Iterator[tuple[int, str]] = iter(())

    def prepare(self, drafter: Drafter) -> None:
        """Before an answer: tell ``drafter`` the latest, unless it knows; make it forget what was deleted."""
        if not isinstance(drafter, AutoDrafter):
            return
        with suppress(StorageError):
            if drafter is not self._drafter or not self._all_kept():
                drafter.forget_texts()
                self._drafter, self._owners = drafter, set()
                self._waiting = self._latest()
        until = perf_counter() + AT_ONCE_S
        while perf_counter() < until and self.pause():
            pass

    def pause(self) -> bool:
        """Tell one more; whether there are others."""
        found = next(self._waiting, None)
        if found is None or self._drafter is None:
            return False
        owner, text = found
        self._owners.add(owner)
        self._drafter.remember(self._model.tokenize(text))
        return True

    def belongs_to(self, conversation: int | None) -> None:
        """Say which saved conversation the last answer belongs to."""
        if conversation is not None and self._drafter is not None:
            self._owners.add(conversation)

    def close(self) -> None:
        """Close the conversations."""
        if self._store is not None:
            self._store.close()

    def _latest(self) -> Iterator[tuple[int, str]]:
        store = self._history() if self._read else None
        return iter(store.latest_answers(LETTERS) if store else ())

    def _all_kept(self) -> bool:
        if not self._owners:
            return True
        store = self._history()
        return store is not None and store.all_kept(self._owners)

    def _history(self) -> ConversationStore | None:
        if self._store is None:
            self._store = existing_history()
        return self._store
