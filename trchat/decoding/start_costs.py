"""First step times of a machine, measured before the first answer so that it is not slowed by guessing."""

from time import perf_counter

import numpy as np

from trchat.decoding.kv_cache import KVCache
from trchat.recycling.cost import StepCosts
from trchat.recycling.tree import chain_tree

LEAST_BUDGET_S = 0.3
SHARE_OF_LOAD = 0.05
_WIDTHS = (4, 1, 8, 2, 16, 32, 64)  # the most telling first, in case time runs out


def measure_start(cache: KVCache, costs: StepCosts, load_s: float) -> None:
    """Time batches of a few widths in the empty ``cache``; at most 0.3 s or 5 % of the time loading took.

    Each width runs twice and the second time counts: the first one builds the compute graph and, after
    loading, brings weights into memory.
    """
    budget = max(LEAST_BUDGET_S, SHARE_OF_LOAD * load_s)
    start = perf_counter()
    costs.enter(0)
    for width in _WIDTHS:
        for _ in range(2):
            expected = costs.of(width) / 1e3 if costs.curves[0] else 0.0
            if perf_counter() - start + expected > budget:
                cache.truncate(0)
                return
            cache.verify([0], chain_tree(np.zeros(width - 1, np.int32)))
            cache.truncate(0)
        costs.observe(width, cache.decode_s * 1e3, first_counts=True)
        if width == 1:
            costs.observe_plain(cache.decode_s * 1e3)
