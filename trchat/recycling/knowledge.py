"""All that drafting has learned of a model, in bounded memory; it outlives answers."""

import numpy as np
from numpy.typing import NDArray

from trchat.recycling.calibration import Calibration
from trchat.recycling.candidates import CandidateTable

CANDIDATES = 8
"""Candidates that a row holds at most."""

MAX_BYTES = 2_000_000
"""Resident bound for any vocabulary: the tables are hashed, not indexed by token."""


class Knowledge:
    """Candidate rows by the last one, two and three tokens, rows with a gap, and the hit rates of guesses.

    The gap rows look past the last token: what follows "the - of" is often the same whatever stands between.
    Sizes and weights were chosen by tokens per step under the bound.
    """

    def __init__(self) -> None:
        self.tables = (
            CandidateTable("rows1", back=(1,), rows=8192, k=8, fresh=0.4),
            CandidateTable("rows2", back=(1, 2), rows=32768, k=4, fresh=0.6),
            CandidateTable("rows3", back=(1, 2, 3), rows=16384, k=2, fresh=0.8),
            CandidateTable("gap", back=(2, 3), rows=16384, k=4, fresh=0.5),
        )
        self.calibration = Calibration()
        self.clock = 0

    def learn(self, contexts: NDArray[np.int32], packed: NDArray[np.uint32]) -> None:
        """Take in one step: ``packed`` (n, CANDIDATES) follow ``contexts`` (n, 3; last token first)."""
        self.clock += 1
        for table in self.tables:
            table.learn(contexts, packed, self.clock)

    @property
    def nbytes(self) -> int:
        """Resident size."""
        return sum(table.nbytes for table in self.tables) + self.calibration.nbytes

    @property
    def rows_learned(self) -> int:
        """Rows in use over all tables."""
        return sum(table.rows_learned for table in self.tables)
