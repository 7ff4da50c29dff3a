"""States of one text, saved at places that it may be gone back to, in a limited amount of memory."""

from collections.abc import Callable, Sized
from typing import Generic, TypeVar

State = TypeVar("State", bound=Sized)


class SavedStates(Generic[State]):
    """A stack by position: all of them are of beginnings of the text as it is now.

    Where the ``budget`` (in bytes, by ``len``) is used up, that one goes without which the fewest tokens
    would have to be read again: the distance from the one before.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._states: list[tuple[int, State]] = []
        self._used = 0

    def __len__(self) -> int:
        return len(self._states)

    @property
    def last(self) -> tuple[int, State | None]:
        """The last one with its position; (0, None) where there is none."""
        return self._states[-1] if self._states else (0, None)

    @property
    def positions(self) -> list[int]:
        """Where there are states."""
        return [position for position, _ in self._states]

    @property
    def states(self) -> list[State]:
        """All of them, by position."""
        return [state for _, state in self._states]

    def add(self, position: int, save: Callable[[], State]) -> None:
        """Keep what ``save`` returns, if it fits, for ``position``, which is behind all others."""
        if not self.budget or (self._states and self._states[-1][0] >= position):
            return
        state = save()
        if len(state) > self.budget:
            self.budget = 0  # nor will any other
            return
        while self._used + len(state) > self.budget:
            self._drop_one()
        self._states.append((position, state))
        self._used += len(state)

    def truncate(self, position: int) -> None:
        """Forget those behind ``position``: the text goes on differently there."""
        while self._states and self._states[-1][0] > position:
            self._used -= len(self._states.pop()[1])

    def _drop_one(self) -> None:
        before = [0, *self.positions]
        gaps = [position - before[i] for i, position in enumerate(self.positions)]
        self._used -= len(self._states.pop(gaps.index(min(gaps)))[1])
