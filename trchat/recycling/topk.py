"""The k largest of each row, exactly, without sorting or partitioning whole rows of a vocabulary."""

import numpy as np
from numpy.typing import NDArray

GROUPS = 64


def top_k(rows: NDArray[np.float32], k: int) -> NDArray[np.int32]:
    """Indices of the ``k`` largest values of each row, best first, ties by lowest index.

    ``rows`` is (n, width) with width >= k; returns int32 (n, k). Two stages: the maximum of interleaved
    groups of columns (one pass over memory), then only the groups with the k largest maxima. No value of
    the k largest can lie outside those groups; where a tie leaves open which group or column is meant,
    that row is searched again by its k-th value.
    """
    n, width = rows.shape
    stride = width // GROUPS
    if stride <= 4 * k:
        return _top_k_by_sorting(rows, k)
    body = GROUPS * stride
    # Group g holds the columns g, g + stride, ...: the reduction then runs along contiguous memory.
    maxima = rows[:, :body].reshape(n, GROUPS, stride).max(axis=1)
    groups = np.argpartition(-maxima, k - 1, axis=1)[:, :k]
    columns = (groups[:, None, :] + (np.arange(GROUPS) * stride)[None, :, None]).reshape(n, -1)
    if body < width:
        tail = np.broadcast_to(np.arange(body, width), (n, width - body))
        columns = np.concatenate([columns, tail], axis=1)
    values = np.take_along_axis(rows, columns, axis=1)
    picked = np.argpartition(-values, k - 1, axis=1)[:, :k]
    best_values = np.take_along_axis(values, picked, axis=1)
    best = np.take_along_axis(columns, picked, axis=1)
    order = np.lexsort((best, -best_values), axis=1)
    best = np.take_along_axis(best, order, axis=1).astype(np.int32)

    threshold = best_values.min(axis=1, keepdims=True)
    tied = ((maxima >= threshold).sum(axis=1) > k) | ((values >= threshold).sum(axis=1) > k)
    for row in np.flatnonzero(tied):
        candidates = np.flatnonzero(rows[row] >= threshold[row, 0])
        best[row] = candidates[np.lexsort((candidates, -rows[row, candidates]))[:k]]
    return best


def _top_k_by_sorting(rows: NDArray[np.float32], k: int) -> NDArray[np.int32]:
    return np.argsort(-rows, axis=1, kind="stable")[:, :k].astype(np.int32)
