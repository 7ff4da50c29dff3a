"""From the engine's thread to the front end: nothing waits, nothing piles up."""

import threading
from collections.abc import Callable

from trchat.session.news import Comparing, Grown, Loading, News, Reading


class Outbox:
    """A queue that merges what a slow reader has not fetched yet.

    ``wake`` is called, on the writer's thread, when there is something to take and this was not said yet.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._waiting: list[News] = []
        self._told = False

    def put(self, news: News) -> None:
        """Hand over one record."""
        with self._lock:
            last = self._waiting[-1] if self._waiting else None
            if isinstance(news, Grown) and isinstance(last, Grown) and last.message_id == news.message_id:
                self._waiting[-1] = last.with_next(news)
            elif isinstance(news, Loading | Reading | Comparing) and type(last) is type(news):
                self._waiting[-1] = news  # only the latest progress matters
            else:
                self._waiting.append(news)
            tell, self._told = not self._told, True
        if tell:
            self._wake()

    def take(self) -> list[News]:
        """Everything since the last call, in order."""
        with self._lock:
            taken, self._waiting, self._told = self._waiting, [], False
        return taken
