"""Every conversation, on disk: messages form a tree, so that editing and regenerating lose nothing.

One store serves all threads of a process (its connection is behind a lock, and operations take milliseconds);
several processes may write to the same file at once. Trouble with the file is told once to ``warn``, and the
store goes on in memory, see ``trchat.storage.database``. Every method may raise StorageError.
"""

import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from trchat.paths import data_dir
from trchat.storage import conversation_rows, message_rows, search
from trchat.storage.database import StorageError, Warn, open_database
from trchat.storage.history_schema import APPLICATION_ID, MIGRATIONS, mend
from trchat.storage.records import Conversation, Message, SearchHit, UnknownIdError, clean
from trchat.storage.states.owners import STATES, forget_conversations

FILE_NAME = "conversations.db"
UNDO_DAYS = 7
"""How long a deleted conversation can be brought back; then its words leave the file."""


def history_file() -> Path:
    """The file that the user's conversations are kept in (not created)."""
    return data_dir() / FILE_NAME


def open_history(warn: Warn) -> "ConversationStore":
    """Open the user's conversations; ``warn`` gets one line for each trouble.

    What was deleted more than UNDO_DAYS ago is removed for good.
    """
    store = ConversationStore(history_file(), warn)
    with suppress(StorageError):  # the next one who opens it will
        store.purge(before=time.time() - UNDO_DAYS * 24 * 3600)
    return store


def existing_history() -> "ConversationStore | None":
    """The user's conversations, for those who only look; None where there are none. Trouble is not told."""
    return ConversationStore(history_file(), lambda _line: None) if history_file().exists() else None


class ConversationStore:
    """Conversations and their messages. Times come from ``clock`` (seconds since 1970)."""

    def __init__(self, path: Path | None, warn: Warn, clock: Callable[[], float] = time.time) -> None:
        """Open ``path``; None keeps everything in memory, and nothing after that."""
        self._database = open_database(path, MIGRATIONS, APPLICATION_ID, warn, mend)
        self._clock = clock

    @property
    def path(self) -> Path | None:
        """The file that is written to; None while nothing is saved."""
        return self._database.path

    def close(self) -> None:
        """Close the file. Closing twice is fine."""
        self._database.close()

    def create_conversation(self, title: str = "") -> Conversation:
        """Begin a conversation; without a title it takes one from its first user message."""
        now = self._clock()
        return self._database.write(lambda db: conversation_rows.insert(db, clean(title), now))

    def conversation(self, conversation_id: int) -> Conversation:
        """Return one conversation, a deleted one as well. Raises UnknownIdError."""
        return self._database.read(lambda db: conversation_rows.get(db, conversation_id))

    def conversations(self, limit: int | None = None, offset: int = 0) -> list[Conversation]:
        """Return the conversations that are not deleted, the one used last first."""
        return self._database.read(lambda db: conversation_rows.listed(db, limit, offset))

    def kept(self, conversation_id: int | None = None) -> Conversation:
        """Return the conversation with this ID, or the one used last; none deleted. Raises UnknownIdError."""
        if conversation_id is None:
            for conversation in self.conversations(limit=1):
                return conversation
            raise UnknownIdError("there is no conversation yet")
        conversation = self.conversation(conversation_id)
        if conversation.deleted_at is not None:
            raise UnknownIdError(f"conversation {conversation_id} was deleted")
        return conversation

    def rename(self, conversation_id: int, title: str) -> Conversation:
        """Give a conversation another title. Raises UnknownIdError."""
        return self._database.write(
            lambda db: conversation_rows.change(db, conversation_id, "title", clean(title))
        )

    def delete(self, conversation_id: int) -> Conversation:
        """Take a conversation out of lists and searches; ``restore`` undoes it. Raises UnknownIdError."""
        now = self._clock()
        deleted = self._database.write(
            lambda db: conversation_rows.change(db, conversation_id, "deleted_at", now)
        )
        self._forget_states([conversation_id])
        return deleted

    def restore(self, conversation_id: int) -> Conversation:
        """Undo ``delete``. Raises UnknownIdError when the conversation is gone for good."""
        return self._database.write(
            lambda db: conversation_rows.change(db, conversation_id, "deleted_at", None)
        )

    def purge(self, before: float | None = None) -> int:
        """Remove for good what was deleted before this time (default: ever); return how many."""
        if not self._database.read(lambda db: conversation_rows.deleted_before(db, before)):
            return 0  # nothing to wait for the file for
        return self._remove(lambda db: conversation_rows.deleted_before(db, before))

    def remove(self, conversation_id: int) -> None:
        """Remove one conversation for good, deleted before or not. Raises UnknownIdError."""
        self._remove(lambda db: [conversation_rows.get(db, conversation_id).id])

    def add_message(
        self, conversation_id: int, role: str, text: str, parent_id: int | None = None
    ) -> Message:
        """Add a complete message after ``parent_id`` (default: the last one shown) and show it.

        ``role`` is ``system``, ``user`` or ``assistant``. Raises UnknownIdError.
        """
        now = self._clock()

        def add(db: sqlite3.Connection) -> Message:
            parent = (
                conversation_rows.get(db, conversation_id).active_leaf if parent_id is None else parent_id
            )
            if parent_id is not None and message_rows.get(db, parent_id).conversation_id != conversation_id:
                raise UnknownIdError(f"there is no message {parent_id} in conversation {conversation_id}")
            return message_rows.insert(db, conversation_id, parent, role, text, now)

        return self._database.write(add)

    def edit_message(self, message_id: int, text: str) -> Message:
        """Add ``text`` as a branch beside a message, in its role, and show it. Raises UnknownIdError."""
        now = self._clock()

        def edit(db: sqlite3.Connection) -> Message:
            old = message_rows.get(db, message_id)
            return message_rows.insert(db, old.conversation_id, old.parent_id, old.role, text, now)

        return self._database.write(edit)

    def begin_answer(
        self, parent_id: int, model: str | None = None, settings: Mapping[str, object] | None = None
    ) -> Message:
        """Add an empty, unfinished answer to a message and show it; once more for a branch beside it.

        ``settings`` must be fit for JSON. Raises UnknownIdError.
        """
        now = self._clock()
        name = None if model is None else clean(model)

        def begin(db: sqlite3.Connection) -> Message:
            conversation_id = message_rows.get(db, parent_id).conversation_id
            return message_rows.insert(
                db, conversation_id, parent_id, "assistant", "", now, name, settings, finished=False
            )

        return self._database.write(begin)

    def update_answer(self, message_id: int, text: str, reasoning: str | None = None) -> bool:
        """Save what an unfinished answer has so far; ``Autosave`` says when.

        Returns False, and changes nothing, when the answer is finished or was removed meanwhile.
        """
        values = {"text": clean(text), "reasoning": None if reasoning is None else clean(reasoning)}
        return self._database.write(
            lambda db: message_rows.save_answer(db, message_id, values, unfinished_only=True)
        )

    def finish_answer(
        self,
        message_id: int,
        text: str,
        finish_reason: str,
        *,
        reasoning: str | None = None,
        prompt_tokens: int | None = None,
        completion_tokens: int | None = None,
        tokens_per_s: float | None = None,
    ) -> bool:
        """Save a whole answer and why it ended: until then it counts as interrupted.

        Returns False when it was removed meanwhile.
        """
        values = {
            "text": clean(text),
            "reasoning": None if reasoning is None else clean(reasoning),
            "finish_reason": clean(finish_reason),
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "tokens_per_s": tokens_per_s,
            "finished_at": self._clock(),
        }
        saved = self._database.write(
            lambda db: message_rows.save_answer(db, message_id, values, unfinished_only=False), durable=True
        )
        # A little now rather than all at the first search; on its own, so that the answer is safe by then.
        self._catch_up()
        return saved

    def reopen_answer(self, message_id: int) -> bool:
        """Make a finished answer unfinished, to continue it; False when it was removed meanwhile."""
        values = {"finish_reason": None, "finished_at": None}
        return self._database.write(
            lambda db: message_rows.save_answer(db, message_id, values, unfinished_only=False), durable=True
        )

    def message(self, message_id: int) -> Message:
        """Return one message. Raises UnknownIdError."""
        return self._database.read(lambda db: message_rows.get(db, message_id))

    def messages(self, conversation_id: int) -> list[Message]:
        """Return all messages of all branches, oldest first. Raises UnknownIdError."""

        def every(db: sqlite3.Connection) -> list[Message]:
            return message_rows.every(db, conversation_rows.get(db, conversation_id).id)

        return self._database.read(every)

    def thread(
        self, conversation_id: int, leaf_id: int | None = None, last: int | None = None
    ) -> list[Message]:
        """Return the branch that ends in ``leaf_id`` (default: the one shown), its first message first.

        ``last`` keeps that many messages from its end. Raises UnknownIdError.
        """

        def walk(db: sqlite3.Connection) -> list[Message]:
            shown = conversation_rows.get(db, conversation_id).active_leaf
            leaf = shown if leaf_id is None else message_rows.get(db, leaf_id).id
            return message_rows.thread(db, conversation_id, leaf, last)

        return self._database.read(walk)

    def latest_answers(self, letters: int) -> list[tuple[int, str]]:
        """The latest answers of all branches, newest first, each with its conversation's ID.

        As many as have ``letters`` together; none of deleted conversations.
        """
        return self._database.read(lambda db: message_rows.latest_answers(db, letters))

    def all_kept(self, conversation_ids: Collection[int]) -> bool:
        """Whether none of these conversations was deleted."""
        return self._database.read(lambda db: conversation_rows.all_kept(db, conversation_ids))

    def branches(self, conversation_id: int) -> dict[int | None, list[int]]:
        """Return the children of every message, oldest first; under None the first messages."""
        return self._database.read(lambda db: message_rows.children(db, conversation_id))

    def select_branch(self, message_id: int) -> None:
        """Show the branch through this message, down its newest children. Raises UnknownIdError."""
        self._database.write(lambda db: message_rows.select_branch(db, message_id))

    def search(self, query: str, limit: int = 20) -> list[SearchHit]:
        """Find all words of ``query`` in titles and in messages of all branches: titles first, then the best.

        The last word may be just begun; there are no operators, and quotes around words mean nothing.
        """
        words = search.split_words(query)
        if not words:
            return []
        hits = self._search_index(words, limit)
        if hits is None:
            hits = self._database.read(lambda db: search.find_scanning(db, words, limit))
        titles = self._database.read(lambda db: search.find_titles(db, words, limit))
        found = {hit.conversation_id for hit in hits}
        return [*(hit for hit in titles if hit.conversation_id not in found), *hits][:limit]

    def _search_index(self, words: Sequence[str], limit: int) -> list[SearchHit] | None:
        """Search by FTS5; None when that is not to be had."""
        if not search.wants_index(words) or not self._catch_up():
            return None
        try:
            return self._database.read(lambda db: search.find_indexed(db, words, limit))
        except search.IndexFaultError:
            self._drop_index()
            return None

    def _catch_up(self) -> bool:
        """Bring the full-text index up to date; False when that is not to be had."""
        try:
            if not self._database.read(search.has_fts5):
                return False
            if self._database.read(search.is_behind):
                self._database.write(search.catch_up)
            return True
        except search.IndexFaultError:
            self._drop_index()
        except StorageError:
            # Whoever came to save has saved; whoever came to search is told soon enough.
            pass
        return False

    def _drop_index(self) -> None:
        with suppress(StorageError):
            self._database.write(search.drop_index)

    def _remove(self, choose: Callable[[sqlite3.Connection], Sequence[int]]) -> int:
        def forget(db: sqlite3.Connection) -> None:
            # What somebody removes for good is overwritten, not only unlinked.
            db.execute("PRAGMA secure_delete = ON")
            search.forget(db, choose(db))

        removed: list[int] = []

        def remove(db: sqlite3.Connection) -> int:
            ids = choose(db)
            conversation_rows.remove(db, ids)
            removed.extend(ids)
            return len(ids)

        try:
            self._database.write(forget)
        except search.IndexFaultError:
            self._drop_index()
        count = self._database.write(remove)
        self._forget_states(removed)
        return count

    def _forget_states(self, conversations: Sequence[int]) -> None:
        """Remove what models had cached of these: it can be worked out anew, should they come back."""
        if self.path is not None:
            forget_conversations(conversations, self.path.parent / STATES)
