"""Pieces of caches in memory and on disk: found by the tokens of a prompt, written on a thread of its own."""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from trchat.storage.states.folder import Name, StatesFolder
from trchat.storage.states.span import About, Key, Span, Tokens, next_key

UNWRITTEN_BYTES = 64 << 20
"""What may wait in memory to be written: more than a disk writes in a tenth of a second."""
_LOOKED_AT = 256
"""Pieces that go on from one place of a text, of which the longest match is looked for."""


@dataclass(frozen=True, slots=True)
class Match:
    """A piece that a prompt goes on with: its first ``length`` tokens are of use."""

    name: Name
    length: int


class StateStore:
    """What is known of the texts that one model has read in one setting, by the ``root`` key.

    ``put``, ``get`` and ``find`` are for one thread. Without a ``folder`` all is in memory.
    """

    def __init__(
        self,
        root: Key,
        folder: StatesFolder | None,
        *,
        memory: int = 0,
        is_kept: Callable[[int], bool] = lambda conversation: True,
        note: Callable[[str], None] = lambda line: None,
    ) -> None:
        """``memory`` is how many bytes may be held in memory, beside what waits to be written.

        ``is_kept`` tells whether a conversation is still to be kept, on the writing thread; ``note`` gets
        lines for the log, on any.
        """
        self.root = root
        self._folder = folder
        self._memory = memory
        self._is_kept = is_kept
        self._note = note
        self._children: dict[Key, set[Name]] = {}
        """What goes on from each place of a text, as ``find`` last saw it, and ``put`` added."""
        self._held: OrderedDict[Name, Span] = OrderedDict()
        self._held_bytes = 0
        self._unwritten: dict[Name, Span] = {}
        self._unwritten_bytes = 0
        self._on_disk: set[Name] = set()
        self._work: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()
        self._busy = self._closing = False
        self._thread: threading.Thread | None = None
        self._failed = False

    @property
    def on_disk(self) -> bool:
        """Whether anything is written to the disk."""
        return self._folder is not None and not self._failed

    @property
    def in_memory(self) -> bool:
        """Whether anything stays in memory."""
        return self._memory > 0

    @property
    def full(self) -> bool:
        """Whether as much waits to be written as may."""
        with self._changed:
            return self._unwritten_bytes >= UNWRITTEN_BYTES

    def find(self, tokens: Sequence[int], step: int) -> list[Match]:
        """The pieces that ``tokens`` begin with, one behind the other, as far as there are any.

        ``step`` is the length of whole pieces; 0 where each is of all of a text (see ``span`` of the caches).
        """
        children = self._children = self._look()
        text = np.array(tokens, np.int32)
        key, at, found = self.root, 0, []
        while step and at + step <= len(text):
            name = Name(key, next_key(key, text[at : at + step]))
            if name not in children.get(key, ()):
                break
            found.append(Match(name, step))
            key, at = name.key, at + step
        last = self._best(children.get(key, ()), text[at:], states=not step)
        if last:
            found.append(last)
        with self._changed:
            for match in found:
                if match.name in self._held:
                    self._held.move_to_end(match.name)
        return found

    def get(self, name: Name) -> Span | None:
        """A piece; None where it is gone or damaged."""
        with self._changed:
            span = self._held.get(name) or self._unwritten.get(name)
        if span is not None:
            self._hold(name, span)
        elif self._folder is not None:
            span = self._folder.read(name)
            if span is not None:
                self._hold(name, span)
            else:
                self._on_disk.discard(name)
        return span

    def has(self, name: Name, *, for_good: bool) -> bool:
        """Whether there is such a piece, as ``find`` last saw it; ``for_good``: on disk, or soon there."""
        with self._changed:
            if name in self._unwritten:
                return True
            return name in self._on_disk if for_good else name in self._held or name in self._on_disk

    def held(self, name: Name) -> Span | None:
        """A piece that is in memory."""
        with self._changed:
            return self._held.get(name) or self._unwritten.get(name)

    def put(self, span: Span, conversation: int | None, used: float) -> None:
        """Add a piece; to the disk where it is ``own``'s ``conversation``'s. Never waits for the disk."""
        name = Name(span.about.parent, span.about.key)
        for other in list(self._children.get(name.parent, ())):
            if other != name and self._covers(span.about, self.about(other)):
                self.drop(other)
        self._children.setdefault(name.parent, set()).add(name)
        self._hold(name, span)
        if conversation is None or not self.on_disk:
            return
        with self._changed:
            self._unwritten[name] = span
            self._unwritten_bytes += span.size
        self._do(lambda: self._write(name, span, conversation, used))

    def own(self, conversation: int, names: Iterable[Name], used: float) -> None:
        """Note that a conversation has these pieces, there or to come, and that they were ``used`` now."""
        folder = self._folder
        if folder is None or not self.on_disk:
            return
        listed = list(names)

        def note() -> None:
            if self._is_kept(conversation):
                folder.own(conversation, listed)
                for depth, name in enumerate(listed):
                    folder.touch(name, used - depth * 1e-6)  # the ends of texts go first

        self._do(note)

    def drop(self, name: Name) -> None:
        """Remove a piece."""
        with self._changed:
            span = self._held.pop(name, None)
            self._held_bytes -= span.size if span else 0
            self._on_disk.discard(name)
        self._children.get(name.parent, set()).discard(name)
        folder = self._folder
        if folder is not None:
            self._do(lambda: folder.remove(name))

    def about(self, name: Name) -> About | None:
        """What a piece says that it is."""
        with self._changed:
            span = self._held.get(name) or self._unwritten.get(name)
        if span is not None:
            return span.about
        return self._folder.about(name) if self._folder is not None else None

    def wait(self, timeout_s: float) -> bool:
        """Wait until nothing is left to be written; False when ``timeout_s`` passes before."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._work and not self._busy, timeout_s)

    def wait_for_room(self, timeout_s: float) -> bool:
        """Wait until more may wait to be written; False when ``timeout_s`` passes before."""
        with self._changed:
            return self._changed.wait_for(lambda: self._unwritten_bytes < UNWRITTEN_BYTES, timeout_s)

    def close(self, timeout_s: float) -> bool:
        """Write what waits and end; False when that takes longer, and the rest is left unwritten."""
        done = self.wait(timeout_s)
        with self._changed:
            self._closing = True
            self._work.clear()
            self._changed.notify_all()
        return done

    @staticmethod
    def _covers(about: About, other: About | None) -> bool:
        """Whether all that the ``other`` piece is good for, this one is, too: it is longer."""
        if other is None or len(other.tokens) >= len(about.tokens):
            return other is None
        longer = common_length(about.tokens, other.tokens) == len(other.tokens)
        return longer and set(other.points) <= set(about.points)

    def _look(self) -> dict[Key, set[Name]]:
        on_disk = set(self._folder.names()) if self._folder is not None else set()
        children: dict[Key, set[Name]] = {}
        with self._changed:
            self._on_disk = on_disk
            for name in (*on_disk, *self._held, *self._unwritten):
                children.setdefault(name.parent, set()).add(name)
        return children

    def _best(self, names: Iterable[Name], tokens: Tokens, *, states: bool) -> Match | None:
        best: Match | None = None
        for name in islice(names, _LOOKED_AT):
            about = self.about(name)
            if about is None:
                continue
            length = common_length(about.tokens, tokens)
            if states:
                places = (*about.points, len(about.tokens))
                length = max((place for place in places if place <= length), default=0)
            if length > (best.length if best else 0):
                best = Match(name, length)
        return best

    def _hold(self, name: Name, span: Span) -> None:
        with self._changed:
            old = self._held.pop(name, None)
            self._held_bytes -= old.size if old else 0
            self._held[name] = span
            self._held_bytes += span.size
            while self._held_bytes > self._memory and self._held:
                self._let_go()

    def _let_go(self) -> None:
        """Let go of the piece that was used longest ago, of those that no other goes on from."""
        parents = {name.parent for name in self._held}
        name = next(each for each in self._held if each.key not in parents)
        self._held_bytes -= self._held.pop(name).size

    def _do(self, work: Callable[[], None]) -> None:
        with self._changed:
            self._work.append(work)
            if self._thread is None:
                # A daemon: a disk that never answers must not keep the program from ending.
                self._thread = threading.Thread(target=self._run, name="states", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._work or self._closing)
                if self._closing:
                    return
                work, self._busy = self._work.popleft(), True
            try:
                work()
            except Exception as error:  # a thread's traceback would end up in the middle of the answer
                self._failed = True
                self._note(f"states: no more are written: {error}")

    def _write(self, name: Name, span: Span, conversation: int, used: float) -> None:
        folder = self._folder
        try:
            # Not of a conversation that was deleted meanwhile.
            if folder is not None and self.on_disk and folder.owned_by(conversation):
                if folder.write(span, used) and folder.owned_by(conversation):
                    with self._changed:
                        self._on_disk.add(name)
                else:
                    folder.remove(name)
        finally:
            with self._changed:
                if self._unwritten.pop(name, None) is not None:
                    self._unwritten_bytes -= span.size
                self._changed.notify_all()


def common_length(one: Tokens, other: Tokens) -> int:
    """How many tokens two texts share from the start."""
    n = min(len(one), len(other))
    differ = np.flatnonzero(one[:n] != other[:n])
    return int(differ[0]) if len(differ) else n
