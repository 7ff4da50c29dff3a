"""What holds memory of llama.cpp's and gives it back at a known time."""

from types import TracebackType
from typing import Self


class Owned:
    """A context manager over ``close``, which may be called twice."""

    def close(self) -> None:
        """Give back what is held."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
