"""What a longer context adds to the time of a step."""

_CELLS = 1000  # what the two rates below are for
_DRIFT = 1.002  # times how uncertain they are after each step: they hold only near the lengths seen lately
# What they are thought to be before steps in a context have shown them, and how far off that may be: the
# row's in times of what a further row costs without a context, the step's of a one-token step. A CPU's flash
# attention reads the whole context anew for each row.
_ROW, _ROW_SPREAD, _STEP_SPREAD = 2.0, 2.0, 0.2
_SHARED_ROW, _SHARED_ROW_SPREAD, _SHARED_STEP_SPREAD = 0.2, 0.3, 0.1
_CREDIBLE = 10.0  # spreads that a rate found in an earlier session may be beyond that


class ContextCost:
    """Milliseconds that a context of so many cells adds: some for the step, some for each of its rows.

    Both rates are followed by a Kalman filter of two states, so that steps of any width in any context tell
    what those of other widths will take, long before they are tried.

    Attributes:
        per_step, per_row: milliseconds for 1,000 cells.
        known: whether there is a guess at least.
        shared: whether one reading of the context serves many rows.
    """

    def __init__(self, shared: bool) -> None:
        """``shared``: one reading of the context serves many rows, as on a GPU or without flash attention."""
        self.per_step = self.per_row = 0.0
        self.known = False
        self.shared = shared
        self._thousands = 0.0
        self._spread = [[0.0, 0.0], [0.0, 0.0]]  # covariance
        self._widest = (0.0, 0.0)  # variances that it never exceeds

    def expect(self, one_ms: float, row_ms: float) -> None:
        """Begin with a guess: without a context one token takes ``one_ms``, a further row ``row_ms``."""
        row, spread, step_spread = (
            (_SHARED_ROW, _SHARED_ROW_SPREAD, _SHARED_STEP_SPREAD)
            if self.shared
            else (_ROW, _ROW_SPREAD, _STEP_SPREAD)
        )
        self._begin(0.0, row * row_ms, step_spread * one_ms, spread * row_ms)

    def recall(self, per_step: float, per_row: float, one_ms: float, row_ms: float) -> None:
        """Begin with what earlier sessions found; ``one_ms`` and ``row_ms`` as for ``expect``.

        What cannot be is left aside: it might take for ever to be unlearned.
        """
        self.expect(one_ms, row_ms)
        widest = self._widest
        step_spread, row_spread = (variance**0.5 for variance in widest)
        if per_step <= _CREDIBLE * step_spread and per_row <= self.per_row + _CREDIBLE * row_spread:
            self._begin(per_step, per_row, step_spread / 2, row_spread / 2)
            self._widest = widest

    def _begin(self, per_step: float, per_row: float, step_spread: float, row_spread: float) -> None:
        self.per_step, self.per_row, self.known = per_step, per_row, True
        self._widest = step_spread**2, row_spread**2
        self._spread = [[self._widest[0], 0.0], [0.0, self._widest[1]]]

    def enter(self, n_cells: int) -> None:
        """Say how long the context is now."""
        self._thousands = n_cells / _CELLS

    def of(self, width: int) -> float:
        """Milliseconds that it adds to a step of ``width`` tokens."""
        return self._thousands * (self.per_step + self.per_row * width)

    def variance(self, width: int) -> float:
        """How uncertain that is, in square milliseconds."""
        step, row = self._seen_from(width)
        return max(self._thousands * (step + width * row), 0.0)

    def learn(self, width: int, error_ms: float, variance: float) -> None:
        """Correct the rates: a step of ``width`` took ``error_ms`` longer than thought.

        ``variance`` is that of the whole error, from all its causes.
        """
        seen = self._seen_from(width)
        step = self.per_step + seen[0] / variance * error_ms
        row = self.per_row + seen[1] / variance * error_ms
        for i in (0, 1):
            for j in (0, 1):
                self._spread[i][j] -= seen[i] * seen[j] / variance
            self._spread[i][i] = min(max(self._spread[i][i] * _DRIFT, 0.0), self._widest[i])
        # Neither is less than nothing; what one cannot take, the other has to.
        (of_step, both), (_, of_row) = self._spread
        if step < 0 < of_step:
            row -= both / of_step * step
        elif row < 0 < of_row:
            step -= both / of_row * row
        self.per_step, self.per_row = max(step, 0.0), max(row, 0.0)

    def _seen_from(self, width: int) -> tuple[float, float]:
        """Covariance of both rates with what they add to a step of ``width`` tokens."""
        (step, both), (_, row) = self._spread
        return self._thousands * (step + width * both), self._thousands * (both + width * row)
