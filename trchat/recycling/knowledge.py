"""All that drafting has learned of a model, in bounded memory; it outlives answers."""

from trchat.recycling.calibration import Calibration
from trchat.recycling.candidates import CandidateTable

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

    @property
    def nbytes(self) -> int:
        """Resident size."""
        return sum(table.nbytes for table in self.tables) + self.calibration.nbytes

    @property
    def rows_learned(self) -> int:
        """Rows in use over all tables."""
        return sum(table.rows_learned for table in self.tables)
