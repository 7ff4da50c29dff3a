"""All that drafting has learned of a model, in bounded memory; it outlives answers."""

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.calibration import Calibration
from trchat.recycling.candidates import CandidateTable, CandidateTables, TableShape

CANDIDATES = 8
"""Candidates that a row holds at most."""

MAX_BYTES = 2_000_000
"""Resident bound for any vocabulary: the tables are hashed, not indexed by token."""

_SHAPES = (
    TableShape("rows1", back=(1,), rows=8192, k=8, fresh=0.4),
    TableShape("rows2", back=(1, 2), rows=32768, k=4, fresh=0.6),
    TableShape("rows3", back=(1, 2, 3), rows=16384, k=2, fresh=0.8),
    TableShape("gap", back=(2, 3), rows=16384, k=4, fresh=0.35),
)


class Knowledge:
    """Candidate rows by the last one, two and three tokens, rows with a gap, and the hit rates of guesses.

    The gap rows look past the last token: what follows "the - of" is often the same whatever stands between.
    Sizes and weights were chosen by tokens per step under the bound.
    """

    def __init__(self) -> None:
        self.rows = CandidateTables(_SHAPES)
        self.calibration = Calibration()
        self.clock = 0

    @property
    def tables(self) -> tuple[CandidateTable, ...]:
        """The memory of each kind of rows."""
        return self.rows.tables

    def learn(self, contexts: NDArray[np.int32], packed: NDArray[np.uint32]) -> None:
        """Take in what one step brought: ``packed`` (n, CANDIDATES) after ``contexts`` (n, CONTEXT)."""
        self.clock += 1
        self.rows.learn(contexts, packed, self.clock)

    @property
    def nbytes(self) -> int:
        """Resident size."""
        return self.rows.nbytes + self.calibration.nbytes

    @property
    def rows_learned(self) -> int:
        """Rows in use over all tables."""
        return self.rows.rows_learned
