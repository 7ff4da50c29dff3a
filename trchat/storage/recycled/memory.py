"""What drafting has learned about one model, in memory, kept up with its store."""

from collections.abc import Callable
from time import monotonic

import numpy as np

from trchat.recycling.adjacency import AdjacencyMatrix
from trchat.recycling.cost import StepCosts
from trchat.recycling.knowledge import Knowledge
from trchat.storage.recycled import hit_rates, step_times, tables
from trchat.storage.recycled.records import Change, Loaded, Saved, Totals
from trchat.storage.recycled.rows import Rows
from trchat.storage.recycled.writer import Writer

CLOSING_S = 3.0
"""How long the end of the program waits for a slow disk."""

NOTHING = Loaded(0, {}, None)


class Memory:
    """Loaded at the start, saved after each answer. For one thread, the one that decodes.

    Attributes:
        costs: step times of this machine.
        costs_recalled: whether ``costs`` came from the store.
        came_free: tokens that drafting has saved with this model since its first day.
    """

    def __init__(
        self,
        n_vocab: int,
        loaded: Loaded = NOTHING,
        *,
        inherited: bool = False,
        setting: str = "",
        costs: str | None = None,
        writer: Writer | None = None,
        poll: Callable[[], None] = lambda: None,
    ) -> None:
        """``loaded`` is where to begin; ``inherited`` means that it comes from another model's store.

        ``costs`` are the stored ones for ``setting``. Without a ``writer`` nothing is saved. ``poll`` is
        called whenever the writer may have had something to say.
        """
        self.costs = StepCosts()
        self.costs_recalled = costs is not None and step_times.recall(self.costs, costs)
        self._n_vocab = n_vocab
        self._loaded = loaded
        self._inherited = inherited
        self._setting = setting
        self._writer = writer
        self._poll = poll
        self._knowledge: Knowledge | None = None
        self._matrix: AdjacencyMatrix | None = None
        self._seen = 0 if inherited else loaded.generation
        self._saved_up_to: dict[str, int] = {}
        self._before: hit_rates.Vector | None = None
        self._saved_costs = step_times.to_text(self.costs)
        self._totals: dict[str, Totals] = {}
        known = () if inherited else loaded.totals.values()
        self.came_free = sum(totals.came_free for totals in known)

    @property
    def knowledge(self) -> Knowledge:
        """What ``auto`` drafts from; filled from the store at the first use."""
        if self._knowledge is None:
            knowledge = self._knowledge = Knowledge()
            for table in knowledge.tables:
                name = table.name
                rows = self._loaded.rows.get(name)
                if rows is not None:
                    tables.absorb(table, rows)
                    knowledge.clock = max(knowledge.clock, int(table.stamps.max()))
            for table in knowledge.tables:
                # Inherited rows are in no file of this model yet: they go with the first save.
                self._saved_up_to[table.name] = 0 if self._inherited else knowledge.clock
            if self._loaded.calibration is not None:
                hit_rates.restore(knowledge.calibration, self._loaded.calibration)
            self._before = hit_rates.vector(knowledge.calibration)
        return self._knowledge

    @property
    def matrix(self) -> AdjacencyMatrix:
        """The paper's matrix; filled from the store at the first use."""
        if self._matrix is None:
            matrix = self._matrix = AdjacencyMatrix(self._n_vocab)
            rows = self._loaded.rows.get(tables.MATRIX)
            if rows is not None:
                tables.absorb_matrix(matrix, rows)
                matrix.clock = int(matrix.stamps.max())
            self._saved_up_to[tables.MATRIX] = 0 if self._inherited else matrix.clock
        return self._matrix

    def held(self) -> Loaded:
        """A copy of all that is known now: what a session that started now would be given to begin with."""
        rows = {table.name: tables.rows_since(table, 0) for table in self.knowledge.tables}
        rows[tables.MATRIX] = tables.matrix_rows_since(self.matrix, 0)
        return Loaded(self._seen, rows, hit_rates.vector(self.knowledge.calibration))

    def save(self, draft: str, totals: Totals) -> bool:
        """Hand over what is new, and count ``totals`` for this draft mode; False when it has to wait.

        Takes in what other processes have saved meanwhile. Never waits for the disk.
        """
        self.came_free += totals.came_free
        if self._writer is None:
            return False
        self._totals[draft] = self._totals.get(draft, Totals()) + totals
        self._take_in()
        return self._offer()

    def close(self, timeout_s: float = CLOSING_S) -> bool:
        """Save the rest; False when the disk took longer than ``timeout_s``. Closing twice is fine."""
        writer, self._writer = self._writer, None
        if writer is None:
            return True
        end = monotonic() + timeout_s
        if writer.wait(timeout_s):
            self._writer = writer
            self._take_in()
            if self._is_new():
                self._offer()
            self._writer = None
        done = writer.close(max(end - monotonic(), 0.0))
        self._poll()
        return done

    def _is_new(self) -> bool:
        return bool(self._totals) or any(map(len, self._new_rows().values()))

    def _new_rows(self) -> dict[str, Rows]:
        rows = {}
        if self._knowledge is not None:
            for table in self._knowledge.tables:
                name = table.name
                rows[name] = tables.rows_since(table, self._saved_up_to[name])
        if self._matrix is not None:
            rows[tables.MATRIX] = tables.matrix_rows_since(self._matrix, self._saved_up_to[tables.MATRIX])
        return rows

    def _offer(self) -> bool:
        if self._writer is None or not self._writer.idle:
            return False
        costs = step_times.to_text(self.costs)
        after = hit_rates.vector(self._knowledge.calibration) if self._knowledge is not None else None
        change = Change(
            seen=self._seen,
            rows=self._new_rows(),
            clocks=dict(self._saved_up_to),
            before=self._before,
            after=after,
            setting=self._setting,
            costs=costs if self.costs.curve and costs != self._saved_costs else None,
            totals=self._totals,
        )
        if not self._writer.offer(change):
            return False
        self._totals = {}
        self._before = after
        self._saved_costs = costs
        for name in self._saved_up_to:
            clock = self._matrix.clock if name == tables.MATRIX and self._matrix else self._clock
            self._saved_up_to[name] = clock
        return True

    @property
    def _clock(self) -> int:
        return self._knowledge.clock if self._knowledge is not None else 0

    def _take_in(self) -> None:
        """Take in what the last save found of other processes' work."""
        self._poll()
        for saved in self._writer.results() if self._writer is not None else ():
            self._seen = saved.generation
            for name, rows in saved.foreign.items():
                # As old as what had been saved before: newer than all of that, older than ours since.
                self._absorb(name, rows.stamped(saved.change.clocks.get(name, 0)))
            self._add_calibration(saved)

    def _absorb(self, name: str, rows: Rows) -> None:
        if name == tables.MATRIX:
            if self._matrix is not None:
                # A row at clock 0 would count as never learned.
                tables.absorb_matrix(self._matrix, rows.stamped(max(int(rows.stamps.max()), 1)))
            return
        for table in self._knowledge.tables if self._knowledge is not None else ():
            if table.name == name:
                tables.absorb(table, rows)

    def _add_calibration(self, saved: Saved) -> None:
        ours, joint = saved.change.after, saved.calibration
        if self._knowledge is None or self._before is None or ours is None or joint is None:
            return
        if not np.array_equal(ours, joint):
            now = hit_rates.vector(self._knowledge.calibration)
            hit_rates.restore(self._knowledge.calibration, hit_rates.add(now, ours, joint))
            self._before = hit_rates.add(self._before, ours, joint)
