"""Saving on a thread of its own: a slow disk never stalls decoding."""

import threading
from collections import deque
from collections.abc import Callable

from trchat.storage.recycled.records import Change, Saved


class Writer:
    """Saves one change at a time; the result is picked up by whoever offers the next one."""

    def __init__(self, save: Callable[[Change], Saved | None], finish: Callable[[], None]) -> None:
        """``save`` and, at the end, ``finish`` are called on the thread; both must not raise."""
        self._save = save
        self._finish = finish
        self._waiting: Change | None = None
        self._busy = False
        self._closing = False
        self._changed = threading.Condition()
        self._results: deque[Saved] = deque()
        # A daemon: a disk that never answers must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name="recycled candidates", daemon=True)
        self._thread.start()

    def offer(self, change: Change) -> bool:
        """Hand over a change; False while another one is being saved (this one can go with the next)."""
        with self._changed:
            if self._waiting is not None or self._busy or self._closing:
                return False
            self._waiting = change
            self._changed.notify_all()
            return True

    @property
    def idle(self) -> bool:
        """Whether a change would be taken."""
        with self._changed:
            return self._waiting is None and not self._busy and not self._closing

    def results(self) -> list[Saved]:
        """What has been saved since the last call, oldest first."""
        with self._changed:
            found = list(self._results)
            self._results.clear()
            return found

    def wait(self, timeout_s: float) -> bool:
        """Wait until nothing is left to save; False when ``timeout_s`` passes before."""
        with self._changed:
            return self._changed.wait_for(lambda: self._waiting is None and not self._busy, timeout_s)

    def close(self, timeout_s: float) -> bool:
        """Save what waits and end; False when that takes longer than ``timeout_s`` and is left to itself."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting is not None or self._closing)
                change, self._waiting = self._waiting, None
                if change is None:
                    break
                self._busy = True
            saved = self._save(change)
            with self._changed:
                self._busy = False
                if saved is not None:
                    self._results.append(saved)
                self._changed.notify_all()
        self._finish()
