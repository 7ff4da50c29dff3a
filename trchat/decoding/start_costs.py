"""First step times of a machine, measured before the first answer so that it is not slowed by guessing."""

from statistics import median
from time import perf_counter

import numpy as np

from trchat.decoding.state_cache import Cache
from trchat.recycling.cost import StepCosts
from trchat.recycling.tree import chain_tree

LEAST_BUDGET_S = 0.3
SHARE_OF_LOAD = 0.05
_WIDTHS = (1, 4, 2, 8, 16, 32, 64, 3)  # the most telling first, in case time runs out


def measure_start(cache: Cache, costs: StepCosts, load_s: float) -> None:
    """Time batches of a few widths in the empty ``cache``; none is begun that would take it beyond 0.3 s, or
    beyond 5 % of the time loading took.

    On a GPU about as much may go in addition into what the first batch of a width brings there, its kernels
    and their workspace: it is paid once, by whoever comes first, and a width that was not measured for it may
    look too dear ever to be tried.

    The last run of a width counts. The first one builds the compute graph and, after loading, brings
    weights into memory; on a GPU the second one records the kernels' launches. What the two take longer than
    the last is what a change of width and a recording cost: medians over the widths but the first, as some
    also pay for what is set up once. A recording that is only updated is thought to take a third of that,
    as seen on an H100, until one shows.
    """
    budget = max(LEAST_BUDGET_S, SHARE_OF_LOAD * load_s)
    runs = 3 if cache.computes_apart else 2
    start, once_s = perf_counter(), 0.0
    costs.enter(0)
    changes: list[float] = []
    recordings: list[float] = []
    widest = 1 + cache.room_for_drafts(1)
    for width in [width for width in _WIDTHS if width <= widest]:
        times: list[float] = []
        expected = costs.of(width) / 1e3 if costs.known else 0.0
        for run in range(runs):
            if perf_counter() - start - once_s + expected > budget:
                return
            cache.verify([0], chain_tree(np.zeros(width - 1, np.int32)))
            cache.truncate(0)
            times.append(cache.decode_s * 1e3)
            if cache.computes_apart and run == 0:
                once_s = min(once_s + max(cache.decode_s - expected, 0.0), budget)
        if width != _WIDTHS[0]:
            changes.append(max(times[0] - times[-1], 0.0))
            recordings.append(max(times[1] - times[-1], 0.0))
        preparing = None
        if changes:
            recording_ms = median(recordings)
            preparing = median(changes), recording_ms / 3, recording_ms
        costs.measured(width, times[-1], preparing)
