"""The k largest of each row, exactly, without sorting or partitioning whole rows of a vocabulary."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from numpy.typing import NDArray

from trchat.recycling import kernel
from trchat.recycling.kernel import MOST_CANDIDATES, Kernel, address

CONTENDER = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
"""llama.cpp's ``llama_token_data``."""

MOST_CONTENDED = 128
"""The most places of a row that there are contenders for; for more llama.cpp sorts by another method."""

SAMPLED = 4096
"""One logit in so many tells whether a row is still the same."""

NOTHING = np.float32(-1e30)
"""Stands for a logit that is NaN or infinite: never a candidate, but safe to calculate with."""

GROUP_SIZE = 64
_FEW = 2  # rows, up to which a second look at whole rows is cheaper than gathering groups
_ROWS_OF_A_THREAD = 12  # with fewer, handing them over costs more than it saves
_MOST_THREADS = 4
_HEAD = 4096  # logits; what is kept is least about the root of k times the vocabulary

Best = tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]
"""Indices (n, k), values (n, k), log-sum-exp (n,)."""


def top_k(rows: NDArray[np.float32], k: int) -> NDArray[np.int32]:
    """Indices of the ``k`` largest values of each row, best first, ties by lowest index.

    ``rows`` is (n, width) with width >= k; returns int32 (n, k).
    """
    return top_k_and_mass(rows, k)[0]


def top_k_and_mass(rows: NDArray[np.float32], k: int, *, changing: bool = False) -> Best:
    """As ``top_k``, with the values (n, k) and an estimate of each row's log-sum-exp (n,).

    ``changing`` rows may be overwritten meanwhile: then what is found is of no use, but nothing breaks.

    Two stages: the maximum of interleaved groups of columns (one pass over memory), then only the groups
    with the k largest maxima. No value of the k largest can lie outside those groups; where a tie leaves
    open which group or column is meant, that row is searched again by its k-th value. The estimate sums
    the maxima of all groups and what else is among the k largest: a little low, for a few exponentials.

    Many rows are split over threads: numpy lets others run while it computes.
    """
    if kernel.KERNEL is not None and k <= MOST_CANDIDATES:
        return _compiled(kernel.KERNEL, rows, k)
    if changing:
        rows = rows.copy()
    if not np.isfinite(rows).all():
        rows = np.where(np.isfinite(rows), rows, NOTHING)
    n, width = rows.shape
    if width // GROUP_SIZE <= 4 * k:
        return _by_sorting(rows, k)
    if n <= _FEW:
        return _row_by_row(rows, k)
    parts = min(n // _ROWS_OF_A_THREAD, _MOST_THREADS)
    if parts < 2:
        return _by_groups(rows, k)
    found = list(_threads().map(_by_groups, np.array_split(rows, parts), [k] * parts))
    best, values, mass = zip(*found, strict=True)
    return np.concatenate(best), np.concatenate(values), np.concatenate(mass)


class Contenders:
    """The tokens that the first places of a row are decided among.

    llama.cpp's search for the ``k`` largest goes through the row from left to right with the largest so far
    in a heap. What is not larger than the least of them changes nothing, and how ties end depends only on
    what does. So all others can be left out, and the same search has the same result, to the order of ties:
    here, all behind the first ``k`` that are not larger than ``k`` tokens before them which will not change.

    Attributes:
        array: as ``find`` left it, of type CONTENDER; with room for all.
    """

    def __init__(self, n_vocab: int) -> None:
        self.array = np.zeros(n_vocab, CONTENDER)
        self._place = address(self.array)  # asked once: of such an array it takes longer than the search

    def find(self, row: NDArray[np.float32], k: int, changed: NDArray[np.int32]) -> int:
        """Write the contenders for the first ``k`` places of ``row`` to ``array``, by rising token.

        ``changed`` tokens, in rising order, may yet get other logits. Returns how many were written; 0 where
        it cannot be told: NaN among the first ``k``, or ``k`` above MOST_CONTENDED or the row's length.
        """
        if k > min(MOST_CONTENDED, len(row)):
            return 0
        if kernel.KERNEL is not None:
            places = address(changed), len(changed), self._place
            found: int = kernel.KERNEL.contenders(address(row), len(row), k, *places)
            return found
        if np.isnan(row[:k]).any():
            return 0
        head = row[: max(_HEAD, k)].copy()
        head[changed[changed < len(head)]] = -np.inf
        head[np.isnan(head)] = -np.inf
        kept = row > np.partition(head, len(head) - k)[len(head) - k]
        kept[: len(head)] = kept[changed] = True
        tokens = np.flatnonzero(kept)
        self.array["id"][: len(tokens)] = tokens
        self.array["logit"][: len(tokens)] = row[tokens]
        self.array["p"][: len(tokens)] = 0
        return len(tokens)


def _compiled(kernel: Kernel, rows: NDArray[np.float32], k: int) -> Best:
    rows = rows if rows.strides[1] == rows.itemsize else np.ascontiguousarray(rows)
    n, width = rows.shape
    found: Best = np.empty((n, k), np.int32), np.empty((n, k), np.float32), np.empty(n, np.float32)
    maxima = np.empty(width // GROUP_SIZE + k, np.float32)
    places = [address(array) for array in (maxima, *found)]
    kernel.top_k(address(rows), n, width, rows.strides[0] // rows.itemsize, k, *places)
    return found


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1), "top-k")


def _by_groups(rows: NDArray[np.float32], k: int) -> Best:
    n, width = rows.shape
    n_groups = width // GROUP_SIZE
    body = GROUP_SIZE * n_groups
    each = np.arange(n)[:, None]
    # Group g holds the columns g, g + n_groups, ...: the reduction then runs along contiguous memory.
    grouped = rows[:, :body].reshape(n, GROUP_SIZE, n_groups)
    maxima = grouped.max(axis=1)
    groups = maxima.argpartition(n_groups - k, axis=1)[:, n_groups - k :]
    members = np.arange(0, body, n_groups)[:, None] + groups[:, None, :]
    columns = members.reshape(n, GROUP_SIZE * k)
    if body < width:
        columns = np.concatenate(
            [columns, np.broadcast_to(np.arange(body, width), (n, width - body))], axis=1
        )
    candidates = rows[each, columns]
    last = candidates.shape[1] - k
    picked = candidates.argpartition(last, axis=1)[:, last:]
    values, best = candidates[each, picked], columns[each, picked]
    order = np.lexsort((best, -values), axis=1)
    values, best = values[each, order], best[each, order].astype(np.int32)

    threshold = values[:, -1:]
    tied = ((maxima >= threshold).sum(axis=1) > k) | ((candidates >= threshold).sum(axis=1) > k)
    for row in np.flatnonzero(tied):
        found = np.flatnonzero(rows[row] >= threshold[row, 0])
        best[row] = found[np.lexsort((found, -rows[row, found]))[:k]]

    top = values[:, :1]
    beside = np.where((best >= body) | (values < maxima[each, best % n_groups]), values, -np.inf)
    mass = np.exp(maxima - top).sum(axis=1) + np.exp(beside - top).sum(axis=1)
    return best, values, top[:, 0] + np.log(mass)


def _row_by_row(rows: NDArray[np.float32], k: int) -> Best:
    n, n_groups = len(rows), rows.shape[1] // GROUP_SIZE
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


def _by_sorting(rows: NDArray[np.float32], k: int) -> Best:
    best = np.argsort(-rows, axis=1, kind="stable")[:, :k].astype(np.int32)
    values = np.take_along_axis(rows, best, axis=1)
    top = values[:, :1]
    return best, values, (top + np.log(np.exp(rows - top).sum(axis=1, keepdims=True)))[:, 0]
