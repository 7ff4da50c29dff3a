"""The k largest of each row, exactly, without sorting or partitioning whole rows of a vocabulary."""

import numpy as np
from numpy.typing import NDArray

GROUP_SIZE = 64
_FEW = 4  # rows, up to which a second look at whole rows is cheaper than gathering groups


def top_k(rows: NDArray[np.float32], k: int) -> NDArray[np.int32]:
    """Indices of the ``k`` largest values of each row, best first, ties by lowest index.

    ``rows`` is (n, width) with width >= k; returns int32 (n, k).
    """
    return top_k_and_mass(rows, k)[0]


def top_k_and_mass(
    rows: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """As ``top_k``, with the values (n, k) and an estimate of each row's log-sum-exp (n,).

    Two stages: the maximum of interleaved groups of columns (one pass over memory), then only the groups
    with the k largest maxima. No value of the k largest can lie outside those groups; where a tie leaves
    open which group or column is meant, that row is searched again by its k-th value. The estimate sums
    the maxima of all groups and what else is among the k largest: a little low, for a few exponentials.
    """
    n, width = rows.shape
    n_groups = width // GROUP_SIZE
    if n_groups <= 4 * k:
        return _by_sorting(rows, k)
    if n <= _FEW:
        return _row_by_row(rows, k, n_groups)
    body = GROUP_SIZE * n_groups
    # Group g holds the columns g, g + n_groups, ...: the reduction then runs along contiguous memory.
    maxima = rows[:, :body].reshape(n, GROUP_SIZE, n_groups).max(axis=1)
    groups = np.argpartition(maxima, n_groups - k, axis=1)[:, n_groups - k :]
    columns = (groups[:, None, :] + (np.arange(GROUP_SIZE) * n_groups)[None, :, None]).reshape(n, -1)
    if body < width:
        tail = np.broadcast_to(np.arange(body, width), (n, width - body))
        columns = np.concatenate([columns, tail], axis=1)
    values = np.take_along_axis(rows, columns, axis=1)
    n_columns = values.shape[1]
    picked = np.argpartition(values, n_columns - k, axis=1)[:, n_columns - k :]
    best_values = np.take_along_axis(values, picked, axis=1)
    best = np.take_along_axis(columns, picked, axis=1)
    order = np.lexsort((best, -best_values), axis=1)
    best = np.take_along_axis(best, order, axis=1).astype(np.int32)
    best_values = np.take_along_axis(best_values, order, axis=1)

    threshold = best_values[:, -1:]
    tied = ((maxima >= threshold).sum(axis=1) > k) | ((values >= threshold).sum(axis=1) > k)
    for row in np.flatnonzero(tied):
        candidates = np.flatnonzero(rows[row] >= threshold[row, 0])
        best[row] = candidates[np.lexsort((candidates, -rows[row, candidates]))[:k]]

    top = best_values[:, :1]
    group_best = np.take_along_axis(maxima, best % n_groups, axis=1)
    beside = np.where((best >= body) | (best_values < group_best), best_values, -np.inf)
    mass = np.exp(maxima - top).sum(axis=1) + np.exp(beside - top).sum(axis=1)
    return best, best_values, top[:, 0] + np.log(mass)


def _row_by_row(
    rows: NDArray[np.float32], k: int, n_groups: int
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    n = len(rows)
    body = GROUP_SIZE * n_groups
    best = np.empty((n, k), np.int32)
    values = np.empty((n, k), np.float32)
    mass = np.empty(n, np.float32)
    for number in range(n):
        row = rows[number]
        maxima = row[:body].reshape(GROUP_SIZE, n_groups).max(axis=0)
        # The k-th largest maximum is a lower bound of the k-th largest value.
        found = np.flatnonzero(row >= np.partition(maxima, n_groups - k)[n_groups - k])
        there = row[found]
        first = np.lexsort((found, -there))[:k]
        chosen, value = found[first], there[first]
        best[number], values[number] = chosen, value
        top = value[0]
        beside = value[(chosen >= body) | (value < maxima[chosen % n_groups])]
        mass[number] = top + np.log(np.exp(maxima - top).sum() + np.exp(beside - top).sum())
    return best, values, mass


def _by_sorting(
    rows: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    best = np.argsort(-rows, axis=1, kind="stable")[:, :k].astype(np.int32)
    values = np.take_along_axis(rows, best, axis=1)
    top = values[:, :1]
    return best, values, (top + np.log(np.exp(rows - top).sum(axis=1, keepdims=True)))[:, 0]
