"""All that drafting has learned of a model, in bounded memory; it outlives answers."""

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.calibration import Calibration
from trchat.recycling.candidates import CandidateTable

CONTEXT = 3
"""Tokens that a row depends on at most."""
CANDIDATES = 8
"""Candidates that a row holds at most."""

MAX_BYTES = 2_000_000
"""Resident bound for any vocabulary: the tables are hashed, not indexed by token."""


class Knowledge:
    """Candidate rows by the last one, two and three tokens, and the hit rates of guesses.

    The sizes were chosen by tokens per step under the bound: longer contexts say more but repeat less, so
    they get more rows of fewer candidates.
    """

    def __init__(self) -> None:
        self.tables = (
            CandidateTable(order=1, rows=8192, k=8),
            CandidateTable(order=2, rows=32768, k=4),
            CandidateTable(order=3, rows=32768, k=2),
        )
        self.calibration = Calibration()
        self.clock = 0

    def learn(self, contexts: NDArray[np.int32], packed: NDArray[np.uint32]) -> None:
        """Take in one step: ``packed`` (n, CANDIDATES) follow ``contexts`` (n, CONTEXT; last token first)."""
        self.clock += 1
        for table in self.tables:
            table.learn(contexts[:, : table.order], packed[:, : table.k], self.clock)

    @property
    def nbytes(self) -> int:
        """Resident size."""
        return sum(table.nbytes for table in self.tables) + self.calibration.nbytes

    @property
    def rows_learned(self) -> int:
        """Rows in use over all tables."""
        return sum(table.rows_learned for table in self.tables)
